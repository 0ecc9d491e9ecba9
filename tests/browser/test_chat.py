"""A conversation streams into the page, outlives reloads and restarts, and can be stopped."""

import pytest
from playwright.async_api import expect

from tests.browser.chat import SEALED, STOPPED, end, say
from tests.browser.conftest import Site, Visit
from tests.fakes.control import failed, text, tool
from tests.fakes.web_control import Gate, listing, pieces

pytestmark = pytest.mark.asyncio(loop_scope="session")

STORY = "# A story\n\nIt *began* well.\n\n- one\n- two\n\nThe e"
STORY_END = "nd of it.\n"


async def test_an_answer_streams_in_as_rendered_text(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Tell"] = (*pieces(STORY, 5), Gate("end"), text(STORY_END))
    page = await visit()
    turn = await say(page, "Tell")

    await expect(turn.locator("h1")).to_have_text("A story")
    await expect(turn.locator("em")).to_have_text("began")
    await expect(turn.locator("li")).to_have_count(2)
    await expect(turn.locator(".piece p").last).to_have_text("The e")
    site.fleet.gate("end").set()
    await end(turn)
    await expect(turn.locator(".prose p").last).to_have_text("The end of it.")


async def test_a_second_message_comes_into_the_same_page(site: Site, visit: Visit) -> None:
    page = await visit()
    await end(await say(page, "One"))
    await page.evaluate("window.stayed = true")
    turn = await say(page, "Two")
    await end(turn)

    await expect(page.locator(".turn")).to_have_count(2)
    assert await page.evaluate("window.stayed")
    assert len(site.fleet.state.sessions) == 1
    await expect(page.get_by_role("textbox", name="Message to")).to_be_focused()
    await expect(page.get_by_role("textbox", name="Message to")).to_have_value("")


async def test_reloading_in_mid_answer_shows_the_text_so_far_and_goes_on(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Tell"] = (*pieces(STORY, 5), Gate("end"), text(STORY_END))
    page = await visit()
    await expect((await say(page, "Tell")).locator(".piece p").last).to_have_text("The e")
    await page.reload()
    turn = page.locator(".turn").last
    await expect(turn.locator(".piece p").last).to_have_text("The e")
    site.fleet.gate("end").set()
    await end(turn)

    await expect(turn.locator("h1")).to_have_count(1)
    await expect(turn.locator(".prose p").last).to_have_text("The end of it.")


async def test_a_second_browser_follows_the_same_answer(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Tell"] = (*pieces(STORY, 5), Gate("end"), text(STORY_END))
    page = await visit()
    await say(page, "Tell")
    other = await visit(width=390, height=844)
    await other.goto(page.url)
    site.fleet.gate("end").set()

    for one in (page, other):
        await end(one.locator(".turn").last)
        await expect(one.locator(".prose p").last).to_have_text("The end of it.")


async def test_the_page_goes_on_after_the_web_process_was_restarted(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Tell"] = (*pieces(STORY, 5), Gate("end"), text(STORY_END))
    page = await visit(forgive=("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"))
    turn = await say(page, "Tell")
    await expect(turn.locator(".piece p").last).to_have_text("The e")
    await page.evaluate("window.stayed = true")
    await site.served.stop()
    await expect(page.locator("body")).to_have_attribute("data-stream", "retrying")
    await site.served.start()
    site.fleet.gate("end").set()
    await end(turn)

    assert await page.evaluate("window.stayed")
    await expect(turn.locator("h1")).to_have_count(1)
    await expect(turn.locator(".prose p").last).to_have_text("The end of it.")


async def test_the_live_panel_tells_tool_arguments_time_and_output(site: Site, visit: Visit) -> None:
    started, *outputs, ended = tool("exec", '{"command": "make"}', "built\n", output=["compiling\n", "linking\n"])
    site.fleet.scripts["Build"] = (
        started,
        outputs[0],
        Gate("more"),
        outputs[1],
        Gate("end"),
        ended,
        text("Built."),
    )
    page = await visit()
    turn = await say(page, "Build")
    panel = page.get_by_role("complementary", name="Live execution")

    await expect(panel.locator(".head")).to_contain_text("exec make")
    await expect(panel.get_by_label("Arguments of exec")).to_contain_text('"command": "make"')
    await expect(panel.get_by_label("Output of exec")).to_have_text("compiling\n")
    clock = panel.locator(".step .clock")
    before = await clock.inner_text()
    await expect(clock).not_to_have_text(before)
    await expect(turn.locator(".chip")).to_contain_text("make")
    site.fleet.gate("more").set()
    await expect(panel.get_by_label("Output of exec")).to_have_text("compiling\nlinking\n")
    site.fleet.gate("end").set()
    await end(turn)
    await expect(panel.locator(".step-done", has_text="exec")).to_contain_text("12 ms")
    await expect(panel.locator(".head")).to_contain_text(SEALED)


async def test_stop_cancels_the_run(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Work"] = (text("Working on it."), Gate("never"))
    page = await visit()
    turn = await say(page, "Work")
    await expect(turn.get_by_text("Working on it.")).to_be_visible()
    await page.get_by_role("button", name="Stop").click()

    await end(turn, STOPPED)
    await expect(turn.get_by_text("Working on it.")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    (run,) = site.fleet.state.runs.values()
    assert run.cancel_requested


async def test_a_failure_says_why_and_what_would_help(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Ask"] = (failed("MODEL_UNAVAILABLE", "no answer; try `signet provider check x`"),)
    page = await visit()
    turn = await say(page, "Ask")

    await end(turn, "Failed")
    await expect(turn.locator(".fault code")).to_have_text("signet provider check x")


async def test_what_an_agent_writes_never_runs(site: Site, visit: Visit) -> None:
    attack = (
        "<script>window.owned=1</script><img src=x onerror='window.owned=1'>\n\n"
        "[click](javascript:window.owned=1) ![i](http://192.0.2.1/track.png)\n\n"
    )
    call = tool("exec", '{"command": "<img src=x onerror=window.owned=1>"}', attack, output=[attack])
    site.fleet.scripts["Attack"] = (text(attack), *call, text(attack))
    page = await visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await end(await say(page, "Attack"))
    await page.reload()
    await page.get_by_role("link", name="Open the run").first.click()
    await expect(page.get_by_role("heading", name="Tool calls")).to_be_visible()

    assert await page.evaluate("window.owned") is None
    assert [url for url in asked if not url.startswith(site.url)] == []


async def test_a_message_that_is_too_long_is_kept_and_explained(site: Site, visit: Visit) -> None:
    page = await visit()
    await end(await say(page, "One"))
    long = "x" * (1024 * 1024 + 200_000)
    await page.get_by_role("textbox", name="Message to").fill(long)
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("1.2 MiB, and at most 1 MiB")
    assert len(await page.get_by_role("textbox", name="Message to").input_value()) == len(long)
    assert len(site.fleet.state.runs) == 1


async def test_a_message_is_sent_once_however_often_one_clicks(site: Site, visit: Visit) -> None:
    page = await visit()
    await end(await say(page, "One"))
    await page.get_by_role("textbox", name="Message to").fill("Two")
    await page.evaluate("() => { const b = document.querySelector('button.send'); b.click(); b.click(); b.click(); }")
    await end(page.locator(".turn").nth(1))

    await expect(page.locator(".turn")).to_have_count(2)
    assert len(site.fleet.state.runs) == 2


async def test_the_demonstration_model_is_called_one_with_a_way_to_add_a_real_one(visit: Visit) -> None:
    page = await visit()
    note = page.get_by_role("complementary", name="About the model")

    await expect(note).to_contain_text("Demonstration model.")
    await expect(note.locator("code").first).to_contain_text("signet provider add")


async def test_a_conversation_is_renamed_and_deleted(site: Site, visit: Visit) -> None:
    page = await visit()
    await end(await say(page, "One"))
    await page.locator(".settings summary").click()
    await page.get_by_label("Title").fill("Better & <b>bold</b>")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Better & <b>bold</b>")
    await page.locator(".settings summary").click()
    await page.get_by_role("button", name="Delete this conversation").click()
    await expect(page).to_have_url(f"{site.url}/")

    assert site.fleet.state.sessions == {}
    assert len(site.fleet.state.runs) == 1


async def test_without_scripts_a_conversation_works_by_reloading(site: Site, visit: Visit) -> None:
    site.fleet.scripts["List"] = tuple(listing())
    page = await visit(java_script_enabled=False)
    await page.get_by_role("textbox", name="Message to").fill("List")
    await page.get_by_role("button", name="Send").click()
    await page.wait_for_url("**/sessions/*")
    while not await page.locator(".foot .badge").count():
        await page.reload()
    await expect(page.locator(".turn td code").first).to_have_text("haiku.txt")
    await page.get_by_role("link", name="Open the run").first.click()

    await expect(page.get_by_role("heading", name="Stamp")).to_be_visible()
