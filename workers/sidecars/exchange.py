"""One request of the runtime and its answer: forwarded, streamed back, recorded, reported."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from workers.sidecars import http, reports
from workers.sidecars.http import CHUNKED, Gone, Head, Refused, Wire
from workers.sidecars.usage import HEADER, Stream, Through, Whole

RECORD_BYTES = 16 * 1024 * 1024
"""Most bytes kept of an answer; the runtime is given all of it."""
FIRST_BYTE_SECONDS = 600.0
PIECE_SECONDS = 300.0
"""Most silence in the middle of an answer."""
ROOT = "/apis"
"""Where APIs are, each below its name."""
PASSED = ("accept", "content-type", "user-agent")
"""Headers of the sandbox that the router sees in a request for a model."""
KEPT_BACK = ("authorization", "cookie", "expect", "host", "proxy-authorization", "proxy-connection", "x-api-key")
"""Headers that it does not see in a request for an API, besides those of one connection and of the run."""
HOP = (
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
"""Headers of the router that speak of one connection only: the runtime does not see them."""

Report = Callable[[str, reports.Fields, bytes], Awaitable[None]]


@dataclass
class Armed:
    """The run in whose name is asked. `door` is unix:/path or host:port; `index` the number of its next exchange.

    `policy` is a token of control's that says which APIs the agent may call now; empty for none.
    """

    run: str
    token: str = field(repr=False)
    door: str
    patience_seconds: float
    index: int
    policy: str = field(default="", repr=False)

    def next(self) -> int:
        """Take the number of an exchange."""
        self.index += 1
        return self.index - 1


class Exchange:
    """One exchange on a connection of the runtime."""

    def __init__(self, client: Wire, armed: Armed, report: Report) -> None:
        self._client = client
        self._armed = armed
        self._report = report
        self._index = armed.next()
        self._began = time.monotonic()
        self._answer = bytearray()
        self._reported = False
        self._api = ""
        self._bodiless = False
        self._fields: dict[str, Any] = {
            "index": self._index, "status": 0, "first_byte_micros": 0, "usage": None, "error": "", "cut": False,
        }  # fmt: skip

    async def run(self, head: Head, body: bytes) -> bool:
        """Do it; whether the connection can take another request. Ends when the caller closes its end."""
        method, target = head.words
        self._api = of_api(target)
        self._bodiless = method == "HEAD"
        path = target if self._api else target.partition("?")[0]
        model = f"apis/{self._api}" if self._api else _model(body)
        await self._report("started", {"index": self._index, "path": path, "model": model}, body)
        release = _cancel_when_gone(self._client)
        try:
            await self._relay(_forwarded(head, path, self._armed, len(body), api=bool(self._api)) + body)
        except asyncio.CancelledError as cancelled:
            await self._finish(str(cancelled) or "the run ended")
            raise
        except (Gone, TimeoutError) as error:
            await self._finish(str(error) or "no answer in time")
            return False
        finally:
            release()
        return "close" not in _named(head)

    async def _relay(self, request: bytes) -> None:
        upstream = await _dial(self._armed)
        if upstream is None:
            return await self._fail(
                Refused(503, "router_unavailable", "the router is away; try again in a few seconds")
            )
        try:
            try:
                await upstream.send(request)
                async with asyncio.timeout(FIRST_BYTE_SECONDS):
                    head, length = await http.response(upstream)
            except (Gone, Refused, TimeoutError) as error:
                why = str(error) or "no answer in time"
                return await self._fail(Refused(502, "router_lost", f"the router broke off before it answered: {why}"))
            self._fields["status"] = int(head.words[0])
            self._fields["first_byte_micros"] = self._micros()
            await self._stream(upstream, head, length)
        finally:
            upstream.close()

    async def _stream(self, upstream: Wire, head: Head, length: int) -> None:
        """Pass the answer on; its end is reported before the runtime is given the last of it."""
        events = head.one("content-type").startswith("text/event-stream")
        tap: Stream | Whole | Through = Stream() if events else Whole(head.one(HEADER))
        if events and self._api:  # what it says in its events of usage is not the router's word
            tap = Through(head.one(HEADER))
        length = 0 if self._bodiless else length
        chunked = (events or length < 0) and not self._bodiless
        await self._send(_answered(head, CHUNKED if chunked else length))
        pieces = http.body(upstream, length)
        while True:
            try:
                async with asyncio.timeout(PIECE_SECONDS):
                    piece = await anext(pieces, b"")
            except (Gone, TimeoutError) as error:
                raise Gone(f"the answer broke off: {error or 'silence'}") from error
            passed = tap.feed(piece) if piece else tap.end()
            self._keep(passed)
            if not piece:
                self._fields["usage"] = tap.usage
                await self._finish("")
            if passed:
                await self._send(b"%x\r\n%b\r\n" % (len(passed), passed) if chunked else passed)
            if not piece:
                return await self._send(b"0\r\n\r\n" if chunked else b"")

    async def _fail(self, refused: Refused) -> None:
        """Answer in the router's place: the same connection may be used again."""
        answer = http.error(refused)
        self._fields["status"] = refused.status
        self._keep(answer.partition(b"\r\n\r\n")[2])
        await self._finish(refused.message)
        await self._send(answer)
        raise Gone(refused.message)

    async def _send(self, data: bytes) -> None:
        try:
            await self._client.send(data)
        except Gone as error:
            raise Gone("the caller went away") from error

    def _keep(self, piece: bytes) -> None:
        room = RECORD_BYTES - len(self._answer)
        self._answer += piece[:room]
        self._fields["cut"] |= len(piece) > room

    async def _finish(self, error: str) -> None:
        """Report the end, once."""
        if self._reported:
            return
        self._reported = True
        self._fields["error"] = error
        await self._report("finished", {**self._fields, "duration_micros": self._micros()}, bytes(self._answer))

    def _micros(self) -> int:
        return int((time.monotonic() - self._began) * 1e6)


def of_api(target: str) -> str:
    """Give the name of the API that a request's target is below, "" where it is below none."""
    name = target.partition("?")[0].removeprefix(f"{ROOT}/").partition("/")[0]
    return name if target.startswith(f"{ROOT}/") else ""


def _forwarded(head: Head, path: str, armed: Armed, length: int, *, api: bool) -> bytes:
    """Write the head that the router is sent: what the sandbox may say, and the run's identity."""
    passed = _said(head) if api else [(name, value) for name, value in head.headers if name in PASSED]
    if api or path == ROOT:
        passed.append(("x-signet-policy", armed.policy))
    lines = [
        f"{head.words[0]} {path} HTTP/1.1", "host: signet", "connection: close", f"content-length: {length}",
        f"authorization: Bearer {armed.token}", f"x-signet-run: {armed.run}",
        *(f"{name}: {value}" for name, value in passed), "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode("latin-1")


def _named(head: Head) -> set[str]:
    """Give the words of the header `connection`."""
    return {word.strip().lower() for value in head.all("connection") for word in value.split(",")}


def _said(head: Head) -> list[tuple[str, str]]:
    """Give what the sandbox says to an API: all but who it is, and what is of its own connection only."""
    dropped = {*HOP, *KEPT_BACK, *_named(head)}
    return [(name, value) for name, value in head.headers if name not in dropped and not name.startswith("x-signet-")]


def _answered(head: Head, length: int) -> bytes:
    """Write the head that the runtime is given."""
    framing = f"content-length: {length}" if length >= 0 else "transfer-encoding: chunked"
    passed = (f"{name}: {value}" for name, value in head.headers if name not in HOP and name != HEADER)
    return "\r\n".join([f"HTTP/1.1 {head.words[0]} -", framing, *passed, "", ""]).encode("latin-1")


async def _dial(armed: Armed) -> Wire | None:
    """Connect to the router, which may be starting again; None where it stays away."""
    loop = asyncio.get_running_loop()
    until = loop.time() + armed.patience_seconds
    pause = 0.05
    family, address = _address(armed.door)
    while True:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout_at(max(until, loop.time() + 1)):
                await loop.sock_connect(sock, address)
            return Wire(sock)
        except (OSError, TimeoutError):
            sock.close()
        except BaseException:
            sock.close()
            raise
        if loop.time() + pause > until:
            return None
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.5)


def _address(door: str) -> tuple[socket.AddressFamily, Any]:
    if door.startswith("unix:"):
        return socket.AF_UNIX, door.removeprefix("unix:")
    host, _, port = door.rpartition(":")
    return socket.AF_INET, (host, int(port))


def _model(body: bytes) -> str:
    """Give the model that a request names, "" where it names none."""
    try:
        model = json.loads(body).get("model", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return model if isinstance(model, str) else ""


def _cancel_when_gone(client: Wire) -> Callable[[], None]:
    """Cancel the current task when the caller closes its end; give what stops that."""
    task = asyncio.current_task()
    if client.buffer or task is None:  # the next request is here already
        return lambda: None
    watch = client.watch()

    def gone(_: "asyncio.Task[None]") -> None:
        if client.ended:
            task.cancel("the caller went away")

    watch.add_done_callback(gone)

    def release() -> None:
        watch.remove_done_callback(gone)

    return release
