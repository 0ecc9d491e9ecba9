"""The pages over the real fleet: real control, router, worker, sandbox; only the provider's answers are scripted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.chat import STOPPED, end, say
from tests.browser.conftest import Visit
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.harness.fleet import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW = Reply("one two three four five six seven eight nine ten", delay_seconds=0.3)


@dataclass
class Real:
    """A place with the real fleet behind it."""

    url: str
    fleet: Fleet
    provider: FakeProvider

    async def link(self) -> str:
        code = await self.fleet.client.tokens.create_sign_in_code()
        return f"{self.url}/sign-in?code={code.code}"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def real() -> AsyncIterator[Real]:
    async with FakeProvider() as provider, Fleet(provider=provider.base_url, model="fake-small") as fleet:
        yield Real((await fleet.address("web")).rstrip("/"), fleet, provider)


@pytest.fixture
def site(real: Real) -> Real:
    return real


async def test_a_tool_call_in_the_sandbox_and_its_sealed_record(site: Real, visit: Visit) -> None:
    page = await visit()
    turn = await say(page, 'CALL exec {"command": "echo made by $((40 + 2)) > answer.txt; cat answer.txt"}')
    await end(turn)
    await expect(turn.locator(".chip")).to_contain_text("answer.txt")
    await expect(turn.locator(".prose").last).to_contain_text("The tool said:")
    await expect(turn.locator(".prose").last).to_contain_text("made by 42")
    await turn.get_by_role("link", name="Open the run").click()
    drawer = page.get_by_role("dialog", name="A run")

    await expect(drawer.locator(".stamp > div")).to_have_count(6)
    await drawer.locator("details.call summary").click()
    await expect(drawer.locator("details.call pre").last).to_contain_text("made by 42")
    await expect(drawer.locator(".layers li")).not_to_have_count(0)
    await expect(drawer.locator(".record .digest")).to_have_text(await digest_of(site))
    request = drawer.get_by_role("link", name="Request of model call 1")
    async with page.context.expect_page() as opened:
        await request.click()
    await expect((await opened.value).locator("body")).to_contain_text('"messages"')


async def digest_of(site: Real) -> str:
    newest = (await site.fleet.client.runs.list(page_size=1).page()).runs[0]
    return newest.record_digest


async def test_reloading_in_mid_answer_goes_on_where_it_was(site: Real, visit: Visit) -> None:
    site.provider.queue(SLOW)
    page = await visit()
    turn = await say(page, "count")
    await expect(turn.locator(".prose").last).to_contain_text("two")
    await page.reload()
    turn = page.locator(".turn").last
    await expect(turn.locator(".prose").last).to_contain_text("two")
    await end(turn)

    await expect(turn.locator(".prose").last).to_have_text(SLOW.text)


async def test_control_killed_in_mid_answer_is_not_the_readers_concern(site: Real, visit: Visit) -> None:
    site.provider.queue(SLOW)
    page = await visit(forgive=("ERR_INCOMPLETE_CHUNKED_ENCODING", "503"))
    turn = await say(page, "count on")
    await expect(turn.locator(".prose").last).to_contain_text("two")
    await page.evaluate("window.stayed = true")
    await site.fleet.restart("control")
    await end(turn)

    await expect(turn.locator(".prose").last).to_have_text(SLOW.text)
    assert await page.evaluate("window.stayed")


async def test_stop_ends_an_answer_that_never_would(site: Real, visit: Visit) -> None:
    site.provider.queue(Reply("one two three four five six", fault=Fault.STALL))
    page = await visit()
    turn = await say(page, "never end")
    await expect(turn.locator(".prose").last).to_contain_text("one")
    await page.get_by_role("button", name="Stop").click()

    await end(turn, STOPPED)


async def test_stop_ends_a_command(visit: Visit) -> None:
    page = await visit()
    turn = await say(page, 'CALL exec {"command": "echo began; sleep 300"}')
    await expect(page.get_by_label("Output of exec").last).to_contain_text("began")
    await page.get_by_role("button", name="Stop").click()

    await end(turn, STOPPED)


HOLDING = "version: 1\napprovals: {network: ask, hold: 60s}\n"


async def test_a_connection_that_is_held_for_an_answer_goes_on_with_a_yes(site: Real, visit: Visit) -> None:
    await site.fleet.client.policies.apply("default", HOLDING)
    page = await visit()
    turn = await say(page, 'CALL exec {"command": "curl -sS -m 50 https://asked.example.org/ 2>&1; true"}')
    question = turn.locator(".question")
    await expect(question).to_contain_text("connect to asked.example.org:443")
    await expect(question.locator(".radius")).to_contain_text("asked.example.org")
    await expect(page.get_by_role("navigation", name="Signet").locator(".count")).to_contain_text("1")
    await question.get_by_role("button", name="Always").click()
    await end(turn)
    await expect(turn.locator(".remark").first).to_contain_text("Approved")
    await expect(turn.locator(".prose").last).not_to_contain_text("403")  # it went on, to a name that nobody has
    (grant,) = [one async for one in site.fleet.client.grants.list()]
    assert grant.ask.network.host == "asked.example.org"
    await page.goto(f"{site.url}/approvals")
    await page.get_by_role("button", name="Revoke: assistant may connect to asked.example.org:443").click()
    await expect(page.get_by_text("No grants.")).to_be_visible()
    await site.fleet.client.policies.undo("default")


async def test_a_real_sandbox_shows_its_walls_and_its_log(site: Real, visit: Visit) -> None:
    page = await visit()
    await end(await say(page, 'CALL exec {"command": "true"}'))
    await page.goto(f"{site.url}/sandboxes")
    await page.get_by_role("link", name="assistant", exact=True).first.click()
    await expect(page.locator(".isolation tbody tr")).not_to_have_count(0)
    await expect(page.locator(".isolation")).to_contain_text("landlock")
    await expect(page.locator("#log")).to_contain_text("opened")


REAL_PATHS = (
    *("/", "/runs", "/agents/assistant", "/souls", "/souls/general", "/models", "/workers"),
    *("/approvals", "/policies", "/policies/default", "/sandboxes"),
)


@pytest.mark.parametrize("path", REAL_PATHS)
async def test_every_page_shows_what_is_really_there(site: Real, visit: Visit, path: str) -> None:
    page = await visit()
    answer = await page.goto(site.url + path)

    assert answer is not None
    assert answer.status == 200
    await expect(page.get_by_role("main")).not_to_be_empty()
