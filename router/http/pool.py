"""The connections to one endpoint: kept between calls, bounded, handed on in the order in which calls came."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from router.http.connection import Connection
from router.http.head import keeps
from router.http.limits import Limits
from router.wire import Fault, WireError

_CLOSED = "it closed the connection before it took the request"
_CLOSING = "the router is closing"

Turn = asyncio.Future[Connection | None]
Lost = Callable[[Connection], None]
Make = Callable[[Lost], Awaitable[Connection]]


class Pool:
    """`make` connects; it is given what a connection calls when it is over."""

    def __init__(self, make: Make, limits: Limits) -> None:
        self._make = make
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._open = 0  # members, and places of those that are being made or handed on
        self._members: set[Connection] = set()
        self._idle: list[Connection] = []  # the one used last at the end
        self._waiting: deque[Turn] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether nobody would miss it."""
        return self._open == 0 and not self._waiting

    @property
    def size(self) -> tuple[int, int]:
        """Connections that are open, and those of them that are idle."""
        return self._open, len(self._idle)

    async def take(self, *, fresh: bool = False) -> Connection:
        """Give a connection to oneself; `fresh`: none that lay idle. Raises WireError."""
        connection = None if fresh or self._waiting else self._kept()
        if connection is not None:
            return connection
        if fresh and self._open >= self._limits.connections and self._idle:
            self._idle.pop(0).abort()  # its place comes round
        if self._open < self._limits.connections and not self._waiting:
            self._open += 1
            return await self._dial()
        while (connection := await self._turn()) is not None:
            if connection.live():
                return connection
            connection.abort()
        return await self._dial()

    def give(self, connection: Connection, headers: Mapping[str, str] | None) -> None:
        """Give a connection back after its call: kept if it can be used again, closed if not."""
        seconds = keeps(headers or {}, self._limits.idle_seconds)
        now = self._loop.time()
        if not connection.done() or self._closed or seconds <= 0 or now - connection.born >= self._limits.age_seconds:
            connection.abort()  # and `_over` follows
            return
        connection.until = now + seconds
        self._hand_on(connection)

    def aclose(self) -> None:
        """Hang up on everybody; who waits for a connection is told that there is none. Nobody gets one any more."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._members):
            connection.abort()

    def _kept(self) -> Connection | None:
        now = self._loop.time()
        while self._idle:
            connection = self._idle.pop()
            if connection.until > now and connection.live():
                return connection
            connection.abort()
        return None

    async def _dial(self) -> Connection:
        """Connect, in a place that is counted already."""
        try:
            connection = await self._make(self._over)
        except BaseException:
            self._hand_on(None)
            raise
        if connection.closed or self._closed:  # nobody was told, for it was no member yet
            connection.abort()
            self._hand_on(None)
            raise WireError(Fault.UNREACHABLE, _CLOSING if self._closed else _CLOSED)
        self._members.add(connection)
        return connection

    async def _turn(self) -> Connection | None:
        """Wait for a connection, or for the place of one."""
        turn: Turn = self._loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._limits.turn_seconds):
                return await turn
        except BaseException as error:
            self._resign(turn)
            if not isinstance(error, TimeoutError):
                raise
            seconds = self._limits.turn_seconds
            message = f"all {self._limits.connections} connections to it were busy for {seconds:g} s"
            raise WireError(Fault.UNREACHABLE, message) from error

    def _resign(self, turn: Turn) -> None:
        """Leave the queue; what was handed over in the very moment goes to the next one."""
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif not turn.cancelled():
            self._hand_on(turn.result())

    def _hand_on(self, connection: Connection | None) -> None:
        """Give a connection, or the place of one, to whoever waits longest; else keep it, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._open -= 1
            return
        self._idle.append(connection)
        if len(self._idle) > self._limits.idle:
            self._idle.pop(0).close()
        if self._sweep is None:
            self._sweep = self._loop.call_at(connection.until, self._swept)

    def _over(self, connection: Connection) -> None:
        """Take note that a connection is over."""
        if connection not in self._members:
            return  # it was never handed out; whoever was making it frees its place
        self._members.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._hand_on(None)

    def _swept(self) -> None:
        """Close what was idle for too long, and come back for the rest."""
        self._sweep = None
        now = self._loop.time()
        for connection in [each for each in self._idle if each.until <= now]:
            self._idle.remove(connection)
            connection.close()
        if self._idle:
            self._sweep = self._loop.call_at(min(each.until for each in self._idle), self._swept)
