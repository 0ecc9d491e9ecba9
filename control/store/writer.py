"""The one writer: every change goes through it, in groups of one commit; who asked waits until it is on disk.

Through SQLAlchemy's async drivers every statement hops between threads: measured, a small transaction cost 750 µs of
CPU that way, and 140 µs when the whole of it ran on the writer's own thread. So a change is a function that runs there.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import sqlalchemy as sa

from control.store import database
from signet.kit.errors import SignetError, Unavailable
from signet.kit.times import now_micros

T = TypeVar("T")

GROUP = 256
"""Changes in one commit, at most."""

WAITING = 4096
"""Changes that may wait for their commit; a caller beyond that waits for room."""


@dataclass(frozen=True)
class Transaction:
    """What a change works with. `now` is the same throughout it."""

    connection: sa.Connection
    now: int = field(default_factory=now_micros)
    _after: list[Callable[[], None]] = field(default_factory=list)

    def after(self, call: Callable[[], None]) -> None:
        """Have something called on the event loop once the change is on disk, and only then."""
        self._after.append(call)

    @property
    def calls(self) -> tuple[Callable[[], None], ...]:
        """What to call once it is on disk."""
        return tuple(self._after)


@dataclass(frozen=True)
class _Change(Generic[T]):
    apply: Callable[[Transaction], T]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[T]


@dataclass(frozen=True)
class _Result:
    change: _Change[Any]
    value: Any
    error: BaseException | None
    calls: tuple[Callable[[], None], ...]


class Writer:
    """Owns the only writable connection. `async with` starts its thread, and on leaving lets what waits be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[_Change[Any] | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(WAITING)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._closing = False

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def write(self, apply: Callable[[Transaction], T]) -> T:
        """Apply a change and give its result once it is on disk.

        What `apply` raises is raised here and nothing of it is kept; the others of its group are not touched. A caller
        that is cancelled leaves its change queued. Raises ResourceExhausted (DISK_FULL) and Unavailable.
        """
        if self._closing:
            raise Unavailable("SHUTTING_DOWN", "control is ending and takes nothing new", retry_after_seconds=1)
        async with self._room:
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[T] = loop.create_future()
            self._queue.put(_Change(apply, loop, answer))
            return await answer

    def _run(self) -> None:
        target = database.engine(self._path, writable=True)
        connection: sa.Connection | None = None
        while (group := self._next_group()) is not None:
            try:
                connection = connection or target.connect()
                results = _commit(connection, group)
            except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                results = [_Result(change, None, database.explain(error), ()) for change in group]
            _answer(results)
        if connection:
            connection.close()
        target.dispose()

    def _next_group(self) -> list[_Change[Any]] | None:
        first = self._queue.get()
        if first is None:
            return None
        group = [first]
        while len(group) < GROUP:
            try:
                change = self._queue.get_nowait()
            except queue.Empty:
                break
            if change is None:
                self._queue.put(None)  # the end is dealt with after this group
                break
            group.append(change)
        return group


def _commit(connection: sa.Connection, group: list[_Change[Any]]) -> list[_Result]:
    """Apply a group and commit it. Raises when the group as a whole could not be kept; then none of it is."""
    raw = database.driver(connection)
    raw.execute("BEGIN IMMEDIATE")
    try:
        results = [_apply(connection, change) for change in group]
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise
    return results


def _apply(connection: sa.Connection, change: _Change[Any]) -> _Result:
    """Apply one change so that its failure leaves nothing of it, and the others whole."""
    raw = database.driver(connection)
    transaction = Transaction(connection)
    raw.execute("SAVEPOINT change")
    try:
        value = change.apply(transaction)
    except Exception as error:
        known = database.explain(error)
        if not raw.in_transaction or (known is not error and isinstance(known, SignetError)):
            raise  # the database gave up the whole group
        raw.execute("ROLLBACK TO change")
        raw.execute("RELEASE change")
        return _Result(change, None, known, ())
    raw.execute("RELEASE change")
    return _Result(change, value, None, transaction.calls)


def _answer(results: list[_Result]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Result]] = {}
    for result in results:
        by_loop.setdefault(result.change.loop, []).append(result)
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_deliver, mine)
        except RuntimeError:
            continue  # that loop is closed: nobody waits there any more


def _deliver(results: list[_Result]) -> None:
    for result in results:
        for call in result.calls:
            call()
        answer = result.change.answer
        if answer.done():
            continue  # its caller left
        if result.error is not None:
            answer.set_exception(result.error)
        else:
            answer.set_result(result.value)
