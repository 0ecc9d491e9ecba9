"""The list of runs is filtered and paged, and one run is shown whole beside it."""

import hashlib

import pytest
from playwright.async_api import expect

from signet.kit.errors import SignetError, Unavailable
from tests.browser.chat import end, say
from tests.browser.conftest import Site, Visit
from tests.fakes.control import failed, text
from tests.fakes.web_control import Gate, listing

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_list_is_filtered_by_state(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Bad"] = (failed("MODEL_ERROR", "garbage"),)
    page = await visit()
    await end(await say(page, "Good"))
    await end(await say(page, "Bad"), "Failed")
    await page.get_by_role("link", name="Runs", exact=True).click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_label("State").select_option("failed")
    await page.get_by_role("button", name="Filter").click()

    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("Bad")
    await expect(page.get_by_label("State")).to_have_value("failed")


async def test_the_list_is_paged(site: Site, visit: Visit) -> None:
    page = await visit()
    await end(await say(page, "First of all"))
    (first,) = site.fleet.state.runs.values()
    for number in range(60):
        copy = type(first)()
        copy.CopyFrom(first)
        copy.name, copy.input = f"runs/copy-{number}", f"Copy {number}"
        site.fleet.state.runs[copy.name] = copy
    await page.goto(f"{site.url}/runs")
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.get_by_role("link", name="Older runs").click()

    await expect(page.locator("tbody tr").last).to_contain_text("First of all")
    await expect(page.get_by_role("link", name="Older runs")).to_have_count(0)


async def test_a_run_opens_in_a_drawer_with_all_that_is_known(site: Site, visit: Visit) -> None:
    site.fleet.scripts["List"] = tuple(listing())
    page = await visit()
    await end(await say(page, "List"))
    (run,) = site.fleet.state.runs.values()
    await page.goto(f"{site.url}/runs")
    await page.get_by_role("link", name="List", exact=True).click()
    drawer = page.get_by_role("dialog", name="A run")

    await expect(drawer.locator(".waterfall tbody tr")).to_have_count(5)
    for digest in (run.stamp.soul, run.stamp.tools, run.stamp.runtime, run.stamp.model, run.stamp.permissions):
        await expect(drawer.get_by_text(digest)).to_be_visible()
    await expect(drawer.get_by_role("img", name="Seal of the stamp")).to_be_visible()
    await drawer.locator("details.call summary").click()
    await expect(drawer.locator("details.call pre").first).to_contain_text('"command": "ls -l /workspace"')
    await expect(drawer.locator("details.call pre").last).to_contain_text("haiku.txt")
    await expect(drawer.locator(".layers")).to_contain_text("no route; 127.0.0.2:80 only")
    await expect(drawer.locator(".record")).to_contain_text(run.record_digest)
    await expect(drawer.locator(".figures")).to_contain_text("not priced")
    await page.keyboard.press("Escape")
    await expect(drawer).not_to_be_visible()
    await expect(page.get_by_role("link", name="List", exact=True)).to_be_focused()


async def test_a_run_that_goes_on_is_followed_in_its_drawer_and_sealed_there(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Go"] = (text("x"), Gate("end"))
    page = await visit()
    await say(page, "Go")
    await page.goto(f"{site.url}/runs")
    await page.get_by_role("link", name="Go", exact=True).click()
    drawer = page.get_by_role("dialog", name="A run")
    await expect(drawer.locator(".live")).to_contain_text("Running")
    site.fleet.gate("end").set()

    await expect(drawer.locator(".record")).to_be_visible()
    await expect(drawer.locator(".live")).to_have_count(0)


async def test_a_run_has_a_page_of_its_own_also_by_the_beginning_of_its_id(site: Site, visit: Visit) -> None:
    page = await visit()
    await end(await say(page, "Hello"))
    (name,) = site.fleet.state.runs
    ident = name.partition("/")[2]
    await page.goto(f"{site.url}/runs/{ident[:13]}")

    await expect(page).to_have_url(f"{site.url}/runs/{ident}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Hello")


async def test_a_body_is_shown_as_text_whatever_it_holds(site: Site, visit: Visit) -> None:
    body = b"<script>document.title='owned'</script>"
    digest = hashlib.sha256(body).hexdigest()
    site.fleet.state.blobs[digest] = body
    page = await visit()
    await page.goto(f"{site.url}/blobs/{digest}")

    assert await page.title() == ""
    assert await page.inner_text("body") == body.decode()


@pytest.mark.parametrize(
    "path",
    ["/runs/none", "/sessions/none", "/agents/none", "/souls/none", f"/blobs/{'0' * 64}", "/nowhere", "/runs/%ff"],
)
async def test_what_is_not_there_is_a_page_that_says_so(site: Site, visit: Visit, path: str) -> None:
    page = await visit(forgive=("404",))
    answer = await page.goto(site.url + path)

    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading", name="Not here")).to_be_visible()


async def test_a_page_token_of_another_list_is_refused_clearly(site: Site, visit: Visit) -> None:
    page = await visit(forgive=("400",))
    answer = await page.goto(f"{site.url}/runs?page_token=garbage")

    assert answer is not None
    assert answer.status == 400


async def test_while_control_is_away_the_page_says_so_and_comes_back_by_itself(site: Site, visit: Visit) -> None:
    page = await visit(forgive=("503",))
    away: list[SignetError] = [Unavailable("STORE_UNAVAILABLE", "the store cannot be reached") for _ in range(40)]
    site.fleet.state.failures["ListRunsRequest"] = away
    answer = await page.goto(f"{site.url}/runs")
    assert answer is not None
    assert answer.status == 503
    await expect(page.get_by_text("tries again by itself")).to_be_visible()
    away.clear()

    await expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
