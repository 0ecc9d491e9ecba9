"""A browser signs in by a link that works once, stays signed in, and is out when it says so."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Site, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_link_works_once(site: Site, visit: Visit) -> None:
    link = await site.link()
    first = await visit(signed_in=False)
    await first.goto(link)
    await first.get_by_role("button", name="Sign in to Signet").click()
    await expect(first.get_by_role("textbox", name="Message to")).to_be_visible()

    second = await visit(signed_in=False, forgive=("401",))
    await second.goto(link)
    await second.get_by_role("button", name="Sign in to Signet").click()
    await expect(second.get_by_role("alert")).to_contain_text("used already")
    await expect(second.get_by_text("signet sign-in")).to_be_visible()


async def test_opening_the_link_uses_nothing_up(site: Site, visit: Visit) -> None:
    """Programs that look at links before people do must not sign people out."""
    link = await site.link()
    page = await visit(signed_in=False)
    for _ in range(3):
        await page.goto(link)
    await page.get_by_role("button", name="Sign in to Signet").click()

    await expect(page.get_by_role("textbox", name="Message to")).to_be_visible()


async def test_no_script_reads_the_cookie_and_no_other_site_sends_it(visit: Visit) -> None:
    page = await visit()
    (cookie,) = await page.context.cookies()

    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["path"] == "/"
    assert await page.evaluate("document.cookie") == ""


async def test_signing_out_revokes_the_token(site: Site, visit: Visit) -> None:
    page = await visit()
    (cookie,) = await page.context.cookies()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_text("signet sign-in")).to_be_visible()

    token = site.fleet.state.tokens[site.fleet.state.secrets[cookie["value"]]]
    assert token.HasField("revoke_time")
    assert await page.context.cookies() == []


async def test_an_expired_session_says_how_to_sign_in(site: Site, visit: Visit) -> None:
    page = await visit(forgive=("401",))
    await page.goto("about:blank")  # a page of ours would hear of it, and load itself again meanwhile
    for token in site.fleet.state.tokens.values():
        token.revoke_time.GetCurrentTime()
    await page.goto(f"{site.url}/runs")

    await expect(page.get_by_role("alert")).to_contain_text("Your session is over")
    await expect(page.get_by_text("signet sign-in")).to_be_visible()


async def test_a_visitor_without_a_cookie_is_told_how_to_sign_in(site: Site, visit: Visit) -> None:
    page = await visit(signed_in=False, forgive=("401",))
    for path in ("/", "/runs", "/sessions/none", "/events?topics=run:a:0"):
        await page.goto(site.url + path)
        await expect(page.get_by_text("signet sign-in")).to_be_visible()
