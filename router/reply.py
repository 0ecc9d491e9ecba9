"""What goes back to a caller of the door."""

from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

from router.dialects.contract import Face
from router.joined import Departure
from router.refusal import Refusal
from router.sink import CallerGone
from router.watch import Watch

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Coroutine[Any, Any, None]]


class Reply:
    """The answer's way back, as ASGI messages. Errors are written in the form that the caller speaks."""

    def __init__(self, send: Send, departure: Departure, idle_seconds: float, face: Face) -> None:
        self._send = send
        self._departure = departure
        self._idle_seconds = idle_seconds
        self._face = face
        self.watch = Watch()
        self.started = False

    def close(self) -> None:
        """End: nothing more is said."""
        self.watch.close()

    async def whole(self, body: bytes, usage: bytes = b"") -> None:
        """Send an answer that is no stream."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if usage:
            headers.append((b"x-signet-usage", usage))
        await self._start(200, headers)
        await self._put(body, more=False)

    async def refuse(self, refusal: Refusal) -> None:
        """Send an error."""
        body = self._face.refusal(refusal)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if refusal.usage:
            headers.append((b"x-signet-usage", refusal.usage))
        if refusal.retry_after_seconds is not None:
            headers.append((b"retry-after", str(refusal.retry_after_seconds).encode()))
        await self._start(refusal.status, headers)
        await self._put(body, more=False)

    async def send(self, piece: bytes) -> None:
        """Begin a stream with its first events, or go on."""
        if not self.started:
            await self._begin()
        await self._put(piece, more=True)

    @property
    def room(self) -> bool:
        """Whether `put` may be called."""
        return self.started and self._departure.room

    def put(self, piece: bytes) -> None:
        """Go on at once: where there is room, what sends waits for nothing, and needs no task to wait in."""
        sending = self._send({"type": "http.response.body", "body": piece, "more_body": True})
        try:
            sending.send(None)
        except StopIteration:
            return
        except OSError as error:
            raise CallerGone from error
        sending.close()
        raise RuntimeError("there was no room")

    async def end(self, piece: bytes) -> None:
        """Send a stream's last events."""
        if not self.started:
            await self._begin()
        await self._put(piece, more=False)

    async def broken(self, refusal: Refusal) -> None:
        """Send an error, in whichever place there still is for one."""
        await (self.end(self._face.broken(refusal)) if self.started else self.refuse(refusal))

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin an answer that is no JSON and no stream of events; `send` and `end` bring its body."""
        await self._start(status, headers)

    async def _begin(self) -> None:
        await self._start(200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")])

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _put(self, body: bytes, *, more: bool) -> None:
        try:
            with self.watch(self._idle_seconds):
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except (TimeoutError, OSError) as error:
            raise CallerGone from error
