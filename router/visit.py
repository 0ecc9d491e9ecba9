"""One request at the door, with the ways to read it and to answer."""

import asyncio
from collections.abc import Awaitable

from router.joined import DEPARTURE, Departure
from router.refusal import Refusal
from router.reply import Message, Receive, Reply
from router.sink import CallerGone


class Visit:
    """A request: `path` decoded and `raw_path` as it came, `method`, `query` as it came without its question mark.

    `body_bytes` bounds its body, `idle_seconds` each wait for more of it.
    """

    __slots__ = ("_body_bytes", "_departure", "_headers", "_idle_seconds", "_receive", "method", "path", "query",
                 "raw_path", "reply")  # fmt: skip

    def __init__(self, scope: Message, receive: Receive, reply: Reply, *, body_bytes: int, idle_seconds: float) -> None:
        self.path: str = scope["path"]
        self.raw_path: bytes = scope.get("raw_path") or self.path.encode()
        self.method: str = scope["method"]
        self.query: bytes = scope["query_string"]
        self.reply = reply
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._departure: Departure = scope["state"][DEPARTURE]
        self._receive = receive
        self._body_bytes = body_bytes
        self._idle_seconds = idle_seconds

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All headers, names in lower case."""
        return self._headers

    @property
    def authorization(self) -> str:
        """What it is authorised by; `x-api-key` is Anthropic's way to say a bearer token.

        Raises Refusal (400) for two.
        """
        found = [str(value, "latin-1") for name, value in self._headers if name == b"authorization"]
        if len(found) > 1:
            raise Refusal(400, "invalid_request", "one authorization header is enough: two could be of two callers")
        return found[0] if found else (f"Bearer {key}" if (key := self.header(b"x-api-key")) else "")

    def header(self, name: bytes) -> str:
        """Give a header by its lower-case name, the first of several; empty where there is none."""
        for key, value in self._headers:
            if key == name:
                return str(value, "latin-1")
        return ""

    def allow(self, method: str) -> None:
        """Refuse (405) another method."""
        if self.method != method:
            raise Refusal(405, "invalid_request", f"use {method} here, not {self.method}")

    async def body(self) -> bytes:
        """Read the whole body. Raises Refusal (408, 413) and CallerGone."""
        said = self.header(b"content-length")
        if said.isdecimal() and int(said) > self._body_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._within()
            if message["type"] == "http.disconnect":
                raise CallerGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._body_bytes:
                raise self._too_large()
            if not message.get("more_body"):
                return b"".join(parts)

    async def while_there(self, work: Awaitable[None]) -> None:
        """Do the work for as long as the caller is there. When it leaves, the work is cancelled: raises CallerGone."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("the door's calls are tasks")
        before = task.cancelling()
        self._departure.begin(task)
        try:
            await work
        except asyncio.CancelledError:
            if self._departure.gone and task.uncancel() <= before:
                raise CallerGone from None
            raise
        finally:
            self._departure.end(task)

    async def _within(self) -> Message:
        try:
            with self.reply.watch(self._idle_seconds):
                return await self._receive()
        except TimeoutError as error:
            raise Refusal(408, "invalid_request", f"no more of the body came in {self._idle_seconds:g} s") from error

    def _too_large(self) -> Refusal:
        return Refusal(413, "invalid_request", f"the body is larger than {self._body_bytes} bytes (router.body_bytes)")
