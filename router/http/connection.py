"""One connection to a server: one question at a time, its answer read as it comes."""

import asyncio
import select
from collections.abc import Callable
from typing import cast

from router.http.exchange import Exchange
from router.http.head import Malformed
from router.http.limits import HIGH_BYTES
from router.wire import Fault, WireError


class Stale(Exception):
    """Raised where a kept connection was closed before it took the request: it may be sent again, whatever it is."""


class Connection(asyncio.Protocol):
    """Made by a dialler, held by a pool. `lost` is called once, when it is over."""

    def __init__(self, lost: Callable[["Connection"], None], *, tls: bool, write_seconds: float) -> None:
        self._lost = lost
        self._tls = tls
        self._write_seconds = write_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._exchange: Exchange | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._fault: tuple[Fault, str] | None = None
        self._taken = True  # whether the kernel has all of the request
        self._stuck: asyncio.TimerHandle | None = None
        self._paused = False
        self._take: Callable[[bytes], bool] | None = None
        self._untaken: Exception | None = None
        self.closed = False
        self.born = self._loop.time()
        self.used = False  # whether it answered before
        self.until = 0.0  # while idle: when it is to be closed

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._tls:
            # Paused is then as long as the kernel has not taken everything; TLS has buffers of its own in between.
            self._transport.set_write_buffer_limits(high=0)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Take what came of the answer."""
        exchange = self._exchange
        if exchange is None:
            self.abort()  # nobody asked: whatever it is, it is not the answer to the next question
            return
        try:
            exchange.feed(data)
        except Malformed as error:
            self._fail(Fault.BROKEN, f"it sent {error}")
            return
        if exchange.unread > HIGH_BYTES and not self._paused and self._transport and not self.closed:
            self._paused = True
            self._transport.pause_reading()
        if self._take is None or not exchange.unread or not self._taken_on(self._take, exchange):
            self._wake()

    def eof_received(self) -> None:
        """Take note that nothing more comes; the transport closes itself."""
        if self._exchange is not None and self._exchange.cut():
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """End, and with it the answer, whole or not."""
        self.closed = True
        self._calm()
        exchange = self._exchange
        if exchange is not None and not exchange.ended and (error or not exchange.cut()):
            self._fail(
                Fault.BROKEN, f"it broke off ({type(error).__name__})" if error else "it closed the connection early"
            )
        self._wake()
        self._lost(self)

    def pause_writing(self) -> None:
        """Take note that the kernel does not take all of the request at once."""
        self._taken = False
        if self._stuck is None and self._transport:
            self._watch(self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Take note that it has."""
        self._taken = True
        self._calm()

    # What the client calls.

    async def ask(self, data: bytes, *, bodiless: bool, again: bool) -> Exchange:
        """Send a request and wait for its answer's head. Raises WireError, and Stale.

        `again`: a request that changes nothing may be sent again where nothing was answered. Any other may only if the
        connection was closed before the kernel had taken all of it, for then no server can have begun to serve it.
        """
        transport = self._transport
        if transport is None or self.closed:
            raise Stale
        exchange = self._send(transport, data, bodiless=bodiless)
        while exchange.headers is None:
            if self._fault or self.closed:
                self._give_up(exchange, again=again)
            await self._wait()
        return exchange

    async def read(self, exchange: Exchange) -> bytes:
        """Give what came of the body since; b"" at its end. Raises WireError."""
        while not exchange.unread:
            if exchange.ended:
                return b""
            if self._fault:
                raise WireError(*self._fault)
            if self.closed or exchange is not self._exchange:
                raise WireError(Fault.BROKEN, "it was hung up on")
            await self._wait()
        return self._unread(exchange)

    async def flow(self, exchange: Exchange, take: Callable[[bytes], bool]) -> None:
        """Give what comes of the body to `take` as it comes, until that says False or nothing more comes.

        Raises what `take` raises.
        """
        while exchange.unread:
            if not take(self._unread(exchange)):
                return
        if exchange.ended or self._fault or self.closed or exchange is not self._exchange:
            return
        self._take = take
        try:
            await self._wait()
        finally:
            self._take = None
            untaken, self._untaken = self._untaken, None
        if untaken is not None:
            raise untaken

    def done(self) -> bool:
        """End a question; says whether the connection can be kept for the next one."""
        exchange, self._exchange = self._exchange, None
        self.used = True
        return bool(
            exchange and exchange.clean and self._taken and not self._paused and not self.closed
            and self._transport and not self._transport.is_closing()
        )  # fmt: skip

    def live(self) -> bool:
        """Whether an idle connection is still open as far as the kernel knows; also where asyncio does not know yet."""
        if self.closed or self._transport is None or self._transport.is_closing() or self._poll is None:
            return False
        return not self._poll.poll(0)

    def close(self) -> None:
        """Say good-bye: for one that is idle."""
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport:
            self._transport.abort()

    def _unread(self, exchange: Exchange) -> bytes:
        """Give what came, and let more come."""
        data = exchange.take()
        if self._paused and self._transport and not self.closed:
            self._paused = False
            self._transport.resume_reading()
        return data

    def _taken_on(self, take: Callable[[bytes], bool], exchange: Exchange) -> bool:
        """Have what came taken; says whether more is wanted, and may come."""
        try:
            wanted = take(self._unread(exchange))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self._untaken, wanted = error, False
        if not wanted:
            self._take = None
        return wanted and not exchange.ended

    def _send(self, transport: asyncio.Transport, data: bytes, *, bodiless: bool) -> Exchange:
        exchange = self._exchange = Exchange(bodiless=bodiless)
        self._taken = True
        transport.write(data)
        if transport.is_closing():  # at the first write: there was nobody to take any of it
            self._taken = False
        return exchange

    def _give_up(self, exchange: Exchange, *, again: bool) -> None:
        fault, message = self._fault or (Fault.BROKEN, "it was hung up on")
        untouched = not exchange.began and fault is Fault.BROKEN
        if untouched and self.used and (again or not self._taken):
            raise Stale
        if untouched and not self._taken:
            raise WireError(Fault.UNREACHABLE, "it closed the connection before it took the request")
        raise WireError(fault, message)

    def _fail(self, fault: Fault, message: str) -> None:
        if self._fault is None:
            self._fault = (fault, message)
        self.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _watch(self, left: int) -> None:
        """See, until it was all taken, that the server goes on taking the request."""
        self._stuck = self._loop.call_later(self._write_seconds, self._look, left)

    def _look(self, before: int) -> None:
        self._stuck = None
        left = self._transport.get_write_buffer_size() if self._transport else 0
        if 0 < left < before:
            self._watch(left)
        elif left:
            self._fail(Fault.TIMEOUT, f"it took no more of the request for {self._write_seconds:g} s")

    def _calm(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
