"""A real browser before the real web process's code, over a served fake of control and router."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from signet.kit.home import Home
from tests.fakes import web_control
from tests.fakes.control import furnished
from tests.fakes.web_control import Fleet
from tests.harness.ports import free_port
from web.main import serve
from web.options import WebOptions

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MILLISECONDS = 30_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)


@dataclass
class Served:
    """The web process's code, served in this loop; `stop` and `start` are a restart on the same port."""

    home: Home
    port: int
    options: WebOptions | None = None
    _task: asyncio.Task[int] | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(serve(self.home, self.options or WebOptions(port=self.port), self._stop))
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return

    async def stop(self) -> None:
        self._stop.set()
        if self._task:
            assert await self._task == 0


class Place(Protocol):
    """Where the pages are, and how a browser signs in there."""

    @property
    def url(self) -> str: ...

    async def link(self) -> str: ...


@dataclass
class Site:
    """A place with the fake fleet behind it."""

    url: str
    fleet: Fleet
    served: Served

    async def link(self) -> str:
        return f"{self.url}/sign-in?code={self.fleet.code()}"


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    fleet = Fleet(furnished())
    home = Home(tmp_path)
    async with web_control.serve(fleet, home):
        served = Served(home, free_port())
        await served.start()
        try:
            yield Site(served.url, fleet, served)
        finally:
            await served.stop()


Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, site: Place) -> AsyncIterator[Visit]:
    """Give pages of signed-in browsers. Whatever such a page complains about on its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(
        *, signed_in: bool = True, width: int = 1280, height: int = 800, forgive: tuple[str, ...] = (), **options: Any
    ) -> Page:
        context = await browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        page = await context.new_page()

        def heard(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"} and not any(word in message.text for word in forgive):
                complaints.append(f"{message.type}: {message.text}")

        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        if signed_in:
            await page.goto(await site.link())
            await page.get_by_role("button", name="Sign in to Signet").click()
            await page.wait_for_url(f"{site.url}/")
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []
