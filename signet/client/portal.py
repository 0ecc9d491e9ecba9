"""From synchronous code into an event loop: one background thread, and methods that are the asynchronous ones."""

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future, wait
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from signet.client.pages import A, I, Pages

P = ParamSpec("P")
T = TypeVar("T")
N = TypeVar("N")

_CLEANUP_SECONDS = 6.0  # a little more than the client takes to cancel a run


class Portal:
    """An event loop in a thread of its own, started by its first call."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and give its result. KeyboardInterrupt cancels it and waits for its clean-up."""
        loop = self._started()
        outcome: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def start() -> None:
            task = loop.create_task(work)
            tasks.append(task)
            task.add_done_callback(lambda done: _hand_over(done, outcome))

        def cancel() -> None:
            for task in tasks:
                task.cancel()

        loop.call_soon_threadsafe(start)
        try:
            return outcome.result()
        except BaseException:
            if not outcome.done():
                loop.call_soon_threadsafe(cancel)
                wait([outcome], timeout=_CLEANUP_SECONDS)
            raise

    def close(self) -> None:
        """End the loop and its thread."""
        if self._loop is None or self._thread is None:
            return
        self.call(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLEANUP_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()
        self._loop = self._thread = None

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="signet-client", daemon=True)
            self._thread.start()
        return self._loop


def _hand_over(task: "asyncio.Task[T]", outcome: "Future[T]") -> None:
    if task.cancelled():
        outcome.cancel()
    elif error := task.exception():
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


class Facade(Generic[N]):
    """A namespace for synchronous code: the asynchronous one and the portal to it."""

    def __init__(self, noun: N, portal: Portal) -> None:
        self._noun = noun
        self._portal = portal


class BlockingPages(Generic[A, I]):
    """A list: iterate for every row over all pages; `page()` brings a single page as the service gave it."""

    def __init__(self, pages: Pages[A, I], portal: Portal) -> None:
        self._pages = pages
        self._portal = portal

    def page(self) -> A:
        """Ask for one page: its rows, `next_page_token` (empty on the last), and what else the service says."""
        return self._portal.call(self._pages.page())

    def __iter__(self) -> Iterator[I]:
        return _pull(self._pages.rows(), self._portal)


def blocking(
    method: Callable[Concatenate[N, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Facade[N], P], T]:
    """Make a synchronous method of an asynchronous one."""

    @functools.wraps(method)
    def call(self: Facade[N], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._portal.call(method(self._noun, *args, **kwargs))

    return call


def iterating(
    method: Callable[Concatenate[N, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Facade[N], P], Generator[T, None, None]]:
    """Make a generator of an asynchronous one; closing it closes that one."""

    @functools.wraps(method)
    def call(self: Facade[N], /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return _pull(method(self._noun, *args, **kwargs), self._portal)

    return call


def paging(
    method: Callable[Concatenate[N, P], Pages[A, I]],
) -> Callable[Concatenate[Facade[N], P], BlockingPages[A, I]]:
    """Make a synchronous list of an asynchronous one."""

    @functools.wraps(method)
    def call(self: Facade[N], /, *args: P.args, **kwargs: P.kwargs) -> BlockingPages[A, I]:
        return BlockingPages(method(self._noun, *args, **kwargs), self._portal)

    return call


def _pull(source: AsyncGenerator[T, None], portal: Portal) -> Generator[T, None, None]:
    async def step() -> tuple[T, ...]:
        async for item in source:
            return (item,)
        return ()

    try:
        while item := portal.call(step()):
            yield item[0]
    finally:
        portal.call(source.aclose())
