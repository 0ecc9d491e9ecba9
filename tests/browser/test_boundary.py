"""Approvals, policies and sandboxes on the pages: answered where they are asked, live, and without a script too."""

import asyncio

import pytest
from playwright.async_api import expect

from signet.v1 import approvals_pb2, events_pb2, policies_pb2, sandboxes_pb2
from tests.browser.chat import end, say
from tests.browser.conftest import Site, Visit
from tests.fakes.boundary import answered, asks, reaching
from tests.fakes.control import text
from tests.fakes.web_control import Gate

pytestmark = pytest.mark.asyncio(loop_scope="session")

APPROVED, DENIED = approvals_pb2.APPROVAL_STATE_APPROVED, approvals_pb2.APPROVAL_STATE_DENIED


async def settled(site: Site, name: str, state: int) -> approvals_pb2.Approval:
    """Wait until an approval stands so, and give it."""
    async with asyncio.timeout(20):
        while site.fleet.state.boundary.approvals[name].state != state:  # noqa: ASYNC110 - a browser does it
            await asyncio.sleep(0.01)
    return site.fleet.state.boundary.approvals[name]


async def test_the_navigation_counts_what_waits_as_it_comes_and_goes(site: Site, visit: Visit) -> None:
    page = await visit()
    await page.goto(f"{site.url}/souls")
    badge = page.get_by_role("navigation", name="Signet").locator(".count")
    await expect(badge).to_have_text("")
    boundary = site.fleet.state.boundary
    async with asyncio.timeout(20):
        while not boundary.watchers:  # noqa: ASYNC110 - a browser does it
            await asyncio.sleep(0.01)
    first = boundary.approvals[boundary.ask()]
    await expect(badge).to_contain_text("1")
    boundary.ask(command="make")
    await expect(badge).to_contain_text("2")
    first.state = DENIED
    boundary.tell(first)
    await expect(badge).to_contain_text("1")


@pytest.mark.parametrize(
    ("button", "state", "scope"), [("Once", APPROVED, 0), ("This session", APPROVED, 2), ("Always", APPROVED, 3)]
)
async def test_a_yes_reaches_as_far_as_its_button_says(
    site: Site, visit: Visit, button: str, state: int, scope: int
) -> None:
    name = site.fleet.state.boundary.ask(session="sessions/s")
    page = await visit()
    await page.goto(f"{site.url}/approvals")
    question = page.locator(".question")
    await expect(question).to_contain_text("could send anything to api.example.org on port 443")
    await question.get_by_role("button", name=button).click()

    await settled(site, name, state)
    await expect(page.get_by_text("Nothing waits for an answer.")).to_be_visible()
    await expect(page.locator("#answers li").first).to_contain_text("approved")
    (request,) = site.fleet.state.asked(approvals_pb2.AnswerApprovalRequest)
    assert request.scope == scope


async def test_without_a_script_the_form_does_it_and_gives_the_page_back(site: Site, visit: Visit) -> None:
    name = site.fleet.state.boundary.ask()
    page = await visit(java_script_enabled=False)
    await page.goto(f"{site.url}/approvals")
    await expect(page.get_by_role("navigation", name="Signet").locator(".count")).to_contain_text("1")
    await page.get_by_role("button", name="Deny").click()
    await page.wait_for_url(f"{site.url}/approvals")

    assert site.fleet.state.boundary.approvals[name].state == DENIED
    await expect(page.get_by_text("Nothing waits for an answer.")).to_be_visible()


async def test_a_question_is_answered_in_the_conversation(site: Site, visit: Visit) -> None:
    name = site.fleet.state.boundary.ask("api.github.com")
    site.fleet.scripts["Fetch"] = (
        text("Let me see.\n\n"), *reaching(), asks(name, "connect to api.github.com:443"), Gate("answered"),
        answered(name, "APPROVED"), text("Fetched."),
    )  # fmt: skip
    page = await visit()
    turn = await say(page, "Fetch")
    question = turn.locator(".question")
    await expect(question).to_contain_text("connect to api.github.com:443")
    await expect(question).to_contain_text("could send anything to api.github.com")
    await expect(page.locator(".panel .badge")).to_contain_text("Needs approval")
    await expect(page.locator(".panel")).to_contain_text("Refused api.example.org:443")
    await page.reload()
    await expect(question).to_contain_text("could send anything to api.github.com")
    await question.get_by_role("button", name="Once").click()
    await settled(site, name, APPROVED)
    site.fleet.gate("answered").set()
    await end(turn)

    await expect(turn.locator(".remark")).to_contain_text("Approved by operator")
    await expect(question).to_have_count(0)
    await turn.get_by_role("link", name="Open the run").click()
    drawer = page.get_by_role("dialog", name="A run")
    await expect(drawer.locator("section[aria-label=Network]")).to_contain_text("api.example.org:443")


async def test_an_answer_of_another_site_is_refused(site: Site, visit: Visit) -> None:
    name = site.fleet.state.boundary.ask()
    page = await visit(forgive=("403",))
    url = f"{site.url}/approvals/{name.partition('/')[2]}"
    answer = await page.request.post(url, form={"answer": "always"}, headers={"origin": "https://evil.example.org"})
    bare = await page.request.post(url, form={"answer": "always"})

    assert (answer.status, bare.status) == (403, 403)
    assert site.fleet.state.boundary.approvals[name].state == approvals_pb2.APPROVAL_STATE_PENDING


async def test_an_answer_that_is_none_or_too_late_is_said(site: Site, visit: Visit) -> None:
    name = site.fleet.state.boundary.ask()
    page = await visit(forgive=("400", "409"))
    url = f"{site.url}/approvals/{name.partition('/')[2]}"
    headers = {"origin": site.url}
    assert (await page.request.post(url, form={"answer": "maybe"}, headers=headers)).status == 400
    first = await page.request.post(url, form={"answer": "deny", "back": "https://evil.example.org"}, headers=headers)
    assert first.url == f"{site.url}/approvals"
    assert (await page.request.post(url, form={"answer": "once"}, headers=headers)).status == 409


async def test_a_grant_is_revoked(site: Site, visit: Visit) -> None:
    ask = policies_pb2.Ask(network=policies_pb2.NetworkAsk(host="packages.example.org", port=443))
    grant = policies_pb2.Grant(name="grants/g", agent="agents/assistant", ask=ask, scope=3)  # type: ignore[arg-type] # a wire value
    site.fleet.state.boundary.grants["grants/g"] = grant
    page = await visit()
    await page.goto(f"{site.url}/approvals")
    await page.get_by_role("button", name="Revoke: assistant may connect to packages.example.org:443").click()
    await expect(page.get_by_text("No grants.")).to_be_visible()

    assert site.fleet.state.boundary.grants["grants/g"].HasField("revoke_time")


async def test_a_policy_with_its_versions_and_what_they_changed(site: Site, visit: Visit) -> None:
    page = await visit()
    await page.goto(f"{site.url}/policies")
    await page.get_by_role("link", name="reader").click()
    await expect(page.locator("pre.document")).to_contain_text("host: example.org")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_role("link", name="What version 2 changed").click()
    await expect(page.locator(".diff .i").first).to_contain_text("May read example.org")
    await expect(page.locator(".diff .d").first).to_contain_text("reaches nothing")
    await page.goto(f"{site.url}/policies/reader?version=1")
    await expect(page.locator("pre.document")).not_to_contain_text("host: example.org")


@pytest.mark.parametrize(
    "path", ["/policies/reader?version=x", "/policies/reader/diff", "/policies/reader/diff?from=1&to=0"]
)
async def test_a_version_that_is_none_is_refused(site: Site, visit: Visit, path: str) -> None:
    page = await visit(forgive=("400",))
    answer = await page.goto(site.url + path)
    assert answer is not None
    assert answer.status == 400


async def test_what_is_not_there_is_said(site: Site, visit: Visit) -> None:
    page = await visit(forgive=("404",))
    for path in ("/policies/none", "/policies/reader?version=9", "/sandboxes/none"):
        answer = await page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 404, path


async def test_a_sandbox_with_its_walls_and_its_log(site: Site, visit: Visit) -> None:
    page = await visit()
    await page.goto(f"{site.url}/sandboxes")
    await page.get_by_role("link", name="assistant", exact=True).click()
    await expect(page.get_by_role("img", name="1 of 3 walls around assistant hold")).to_be_visible()
    row = page.locator(".isolation tr", has_text="landlock")
    await expect(row).to_contain_text("holds in part")
    await expect(row).to_contain_text("ABI 4")
    await expect(page.locator("#log")).to_contain_text("waits for a run")  # which only who follows is told
    await page.get_by_role("button", name="Close it").click()
    await expect(page.get_by_text("No sandbox is open.")).to_be_visible()
    assert not site.fleet.state.boundary.sandboxes


async def test_the_log_and_what_agents_say_is_text(site: Site, visit: Visit) -> None:
    boundary = site.fleet.state.boundary
    evil = "<img src=x onerror=\"document.title='won'\">"
    boundary.lines.append(evil)
    boundary.ask(command=evil)
    one = boundary.sandboxes["sandboxes/local.assistant-1"]
    one.isolation.layers.append(events_pb2.IsolationLayer(name=evil, detail=evil))
    one.state = sandboxes_pb2.SANDBOX_STATE_BUSY
    page = await visit()
    for path in ("/approvals", "/sandboxes/local.assistant-1"):
        await page.goto(site.url + path)
        await expect(page.get_by_text(evil).first).to_be_attached()
        assert await page.locator("main img").count() == 0
        assert await page.title() != "won"
