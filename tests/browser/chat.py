"""What the browser tests do over and over in a conversation."""

from playwright.async_api import Locator, Page, expect

from web.words import STATES

SEALED = STATES["SUCCEEDED"].word
STOPPED = STATES["CANCELLED"].word


async def say(page: Page, text: str) -> Locator:
    """Write a message, send it with Enter, and give its turn, on a page whose script is there before and after."""
    await page.wait_for_load_state()
    await page.get_by_role("textbox", name="Message to").fill(text)
    await page.keyboard.press("Enter")
    turn = page.locator(".turn").filter(has=page.locator(".ask", has_text=text)).last
    await expect(turn).to_be_visible()
    await page.wait_for_load_state()
    return turn


async def end(turn: Locator, word: str = SEALED) -> None:
    """See the turn's run end in a state."""
    await expect(turn.locator(".foot .badge")).to_contain_text(word)
