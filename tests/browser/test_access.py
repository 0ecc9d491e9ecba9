"""Every page is whole by keyboard and screen reader, in both themes, down to the width of a phone."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from signet.v1 import approvals_pb2, policies_pb2
from tests.browser.chat import end, say
from tests.browser.conftest import Site, Visit
from tests.fakes.boundary import asks, reaching
from tests.fakes.control import failed, text, tool
from tests.fakes.web_control import Gate, listing, sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

AUDIT = (Path(__file__).parent / "audit.js").read_text()
PATHS = (
    *("/", "/runs", "/sessions", "/agents", "/agents/assistant", "/souls", "/souls/broken", "/models", "/workers"),
    *("/approvals", "/policies", "/policies/reader", "/policies/reader/diff?from=1&to=2"),
    *("/sandboxes", "/sandboxes/local.assistant-1"),
)


async def faults(page: Page) -> list[Any]:
    found: list[Any] = json.loads(await page.evaluate(AUDIT))
    return found


async def furnish(site: Site, page: Page) -> list[str]:
    """Let something of every kind happen; give the paths of all pages."""
    scripts = site.fleet.scripts
    boundary = site.fleet.state.boundary
    question = boundary.ask(command="git push --force " + "very-long-" * 30)
    answered = boundary.approvals[boundary.ask("packages.example.org", session="sessions/s")]
    answered.state, answered.caller = approvals_pb2.APPROVAL_STATE_APPROVED, "tokens/operator"
    boundary.grants["grants/g"] = policies_pb2.Grant(
        name="grants/g", agent="agents/assistant", ask=answered.ask, scope=policies_pb2.GRANT_SCOPE_AGENT
    )
    scripts["List"] = tuple(listing())
    scripts["Bad"] = (failed("MODEL_ERROR", "garbage"),)
    scripts["Refused"] = tuple(tool("exec", '{"command": "rm"}', "no", is_error=True))
    scripts["Go on"] = (
        sandbox(),
        text("On it."),
        *reaching(),
        asks(question, "run git push"),
        *tool("exec", '{"command": "make"}', "")[:1],
        Gate("end"),
    )
    for words, state in (("List", "Sealed"), ("Bad", "Failed"), ("Refused", "Sealed")):
        await end(await say(page, words), state)
    await say(page, "Go on")
    runs = [f"/{name}" for name in site.fleet.state.runs]
    sessions = [f"/{name}" for name in site.fleet.state.sessions]
    return [*PATHS, *sessions, runs[0], runs[1], runs[-1]]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
async def test_names_roles_landmarks_and_contrast(site: Site, visit: Visit, theme: str, width: int) -> None:
    page = await visit(color_scheme=theme, reduced_motion="reduce", width=width)
    for path in await furnish(site, page):
        await page.goto(site.url + path)
        assert await faults(page) == [], path


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_doors_too(site: Site, visit: Visit, theme: str) -> None:
    page = await visit(signed_in=False, color_scheme=theme, forgive=("401", "404"))
    for path in (await site.link(), f"{site.url}/sign-in", f"{site.url}/runs", f"{site.url}/nowhere"):
        await page.goto(path)
        assert await faults(page) == [], path


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1920])
async def test_nothing_scrolls_sideways(site: Site, visit: Visit, width: int) -> None:
    page = await visit(width=width, height=740)
    for path in await furnish(site, page):
        await page.goto(site.url + path)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, path


async def test_a_chosen_theme_is_remembered_before_anything_is_drawn(site: Site, visit: Visit) -> None:
    page = await visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_role("button", name="Dark theme").click()
    dark = await page.evaluate(ground)
    await page.goto(f"{site.url}/runs")

    assert light != dark
    assert await page.evaluate(ground) == dark
    await page.get_by_role("button", name="Light theme").click()
    assert await page.evaluate(ground) == light


async def focused(page: Page) -> str:
    name: str = await page.evaluate(
        "() => (document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || "
        "document.activeElement.id).trim()"
    )
    return name


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of this name has the focus, as somebody without a mouse does."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if (await focused(page)).startswith(name):
            return
    raise AssertionError(name)


async def test_the_whole_road_by_keyboard(site: Site, visit: Visit) -> None:
    """Sign in, write, stop, open the run, close it, sign out: no mouse anywhere."""
    site.fleet.scripts["Work"] = (text("Working."), Gate("never"))
    page = await visit(signed_in=False)
    await page.goto(await site.link())
    await expect(page.get_by_role("button", name="Sign in to Signet")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("textbox", name="Message to")).to_be_focused()
    await page.wait_for_load_state()  # nobody types before the page's script is there, but a test does
    await page.keyboard.type("Work")
    await page.keyboard.press("Enter")
    await expect(page.locator(".turn").get_by_text("Working.")).to_be_visible()
    await tab_to(page, "Stop")
    await page.keyboard.press("Enter")
    await end(page.locator(".turn").last, "Stopped")
    await page.keyboard.press("Shift+Tab")
    await tab_to(page, "Open the run")
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="A run")
    await expect(drawer.get_by_role("heading", name="Stamp")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(drawer).not_to_be_visible()
    assert await focused(page) == "Open the run"
    await page.goto(site.url)
    await tab_to(page, "Sign out")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("signet sign-in")).to_be_visible()


async def test_the_first_tab_skips_to_the_content(site: Site, visit: Visit) -> None:
    page = await visit()
    await page.goto(f"{site.url}/runs")
    await page.keyboard.press("Tab")
    assert await focused(page) == "Skip to content"
    await page.keyboard.press("Enter")

    await expect(page.locator("#main")).to_be_focused()


async def test_whole_blocks_are_read_out_and_pieces_are_not(site: Site, visit: Visit) -> None:
    pieces = (text("The first block"), text(" is whole.\n\n"), text("The second is h"), Gate("end"), text("ere.\n"))
    site.fleet.scripts["Read"] = pieces
    page = await visit()
    await end(await say(page, "One"))
    await page.evaluate(
        "() => { window.heard = []; new MutationObserver(() => heard.push(announcer.textContent))"
        ".observe(announcer, {childList: true}); }"
    )
    turn = await say(page, "Read")
    await expect(page.locator("#announcer")).to_contain_text("The first block is whole.")
    site.fleet.gate("end").set()
    await end(turn)
    await expect(page.locator("#announcer")).to_contain_text("The second is here.")

    heard = await page.evaluate("heard")
    assert not [words for words in heard if "The second is h" in words and "The second is here." not in words]


async def test_motion_stops_where_it_is_not_wanted(site: Site, visit: Visit) -> None:
    site.fleet.scripts["Work"] = (text("Working."), Gate("never"))
    page = await visit(reduced_motion="reduce")
    await say(page, "Work")

    assert await page.evaluate("document.getAnimations().length") == 0
