"""A provider that speaks OpenAI's form over real sockets, and does what it is told, faults included."""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import httptools

from tests.fakes.provider.reply import Fault, Reply, ToolCall, completion, embeddings, events
from tests.fakes.provider.schema import instance
from tests.fakes.provider.style import PLAIN, Style

Answerer = Callable[[Mapping[str, Any]], Reply]

_LINGER_RESET = struct.pack("ii", 1, 0)


class Form(Protocol):
    """A form of asking besides chat."""

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse a request that is none of this form."""

    def chat(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give what it asks, in chat's words, as far as an answerer looks at it."""

    def whole(self, reply: Reply, request: Mapping[str, Any]) -> bytes:
        """Write an answer."""

    def events(self, reply: Reply, request: Mapping[str, Any]) -> Iterator[bytes]:
        """Write a streamed answer, an event at a time."""


class Unasked(AssertionError):
    """Raised at the end when an answer was queued that nobody asked for."""


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    path: str
    headers: Mapping[str, str]
    body: Any


def converse(request: Mapping[str, Any]) -> Reply:
    """Answer what nothing was queued for, by the last message alone.

    `CALL tool {"json": "arguments"}` calls that tool where tools are offered; a tool's result is read back; `THINK`
    and a text thinks that first; where a schema is asked for, something that keeps to it is given; else it is echoed.
    """
    last = request["messages"][-1]
    content = last.get("content") or ""
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    if last["role"] == "tool":
        return Reply(f"The tool said: {text}")
    form = request.get("response_format") or {}
    if form.get("type") == "json_schema":
        return Reply(json.dumps(instance(form["json_schema"]["schema"])))
    if text.startswith("THINK "):
        return Reply(f"You said: {text}", reasoning=text.removeprefix("THINK "))
    if text.startswith("CALL ") and request.get("tools"):
        _, name, arguments = text.split(" ", 2)
        return Reply(tool_calls=(ToolCall(name, json.loads(arguments)),))
    return Reply(f"You said: {text}")


@dataclass
class FakeProvider:
    """Use as `async with FakeProvider(...) as fake`. It listens on `socket`, or on loopback (`port` 0: any).

    `key`: calls need it, and a wrong one is echoed in the error. Queued replies are given in order, then `answer`'s.
    Leaving raises Unasked if a queued reply is left. `asked` are the requests for answers, `probed` the questions of
    what it is. A fake of one server has its `style`, the `rows` of its list and answers `own` questions; `forms` are
    those that it speaks besides chat, by path.
    """

    models: tuple[str, ...] = ("fake-small", "fake-large", "fake-embed")
    key: str = ""
    socket: Path | None = None
    port: int = 0
    answer: Answerer = converse
    context_words: int = 10_000_000
    lists_models: bool = True
    style: Style = PLAIN
    forms: Mapping[str, Form] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    probed: list[Asked] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    hang_ups: int = 0
    _server: asyncio.Server | None = None
    _connections: set["_Connection"] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def base_url(self) -> str:
        """What a client is told."""
        return f"http://127.0.0.1:{self.port}/v1"

    def rows(self) -> list[dict[str, Any]]:
        """Give its list of models."""
        return [{"id": name, "object": "model", "owned_by": "fake"} for name in self.models]

    def own(self, asked: Asked) -> tuple[int, Any] | None:
        """Answer a question of its own interface with a status and a body; None where it has no such thing."""
        del asked
        return None

    async def told(self, asked: Asked) -> tuple[int, Any] | None:
        """Answer such a question when it is time."""
        return self.own(asked)

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse a chat request that this server would refuse."""
        if len(json.dumps(request["messages"]).split()) > self.context_words:
            return Reply(status=400, error={"message": "too many words", "code": "context_length_exceeded"})
        return None

    def admit(self, asked: Asked) -> Reply | None:
        """Refuse a request that does not carry the key."""
        sent = asked.headers.get("authorization", "")
        if not self.key or sent == f"Bearer {self.key}":
            return None
        message = f"Incorrect API key provided: {sent.removeprefix('Bearer ')}"
        return Reply(status=401, error={"message": message, "code": "invalid_api_key"})

    def queue(self, *replies: Reply) -> None:
        """Give these answers next, in this order."""
        self.replies.extend(replies)

    async def hung_up(self, times: int = 1, wait_seconds: float = 10.0) -> None:
        """Wait until callers have left that often in the middle of an answer."""
        async with asyncio.timeout(wait_seconds), self._changed:
            await self._changed.wait_for(lambda: self.hang_ups >= times)

    async def was_asked(self, times: int = 1, wait_seconds: float = 10.0) -> None:
        """Wait until that many requests for answers came."""
        async with asyncio.timeout(wait_seconds), self._changed:
            await self._changed.wait_for(lambda: len(self.asked) >= times)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self.socket:
            self._server = await loop.create_unix_server(lambda: _Connection(self), str(self.socket))
        else:
            self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        await self.aclose()
        if kind is None and self.replies:
            raise Unasked(f"{len(self.replies)} queued answers were never asked for; the next: {self.replies[0]}")

    async def aclose(self) -> None:
        """Stop listening and end every connection; what is queued stays."""
        if self._server:
            self._server.close()
            for connection in list(self._connections):
                connection.abort()
            await self._server.wait_closed()
            self._server = None

    async def note(self, *, hung_up: bool = False) -> None:
        """Tell those who wait that something happened."""
        async with self._changed:
            self.hang_ups += hung_up
            self._changed.notify_all()

    def control(self, path: str, body: Any) -> Any:
        """Serve `/control`: POST replies to queue them, GET asked or left to see what happened."""
        if path == "/control/replies":
            self.queue(*(Reply.parse(each) for each in body))
            return {"queued": len(self.replies)}
        if path == "/control/asked":
            return [asdict(each) for each in self.asked]
        if path == "/control/left":
            return {"left": len(self.replies), "hang_ups": self.hang_ups}
        return None


class _Connection(asyncio.Protocol):
    """One connection: requests one after the other, answers under flow control."""

    def __init__(self, fake: FakeProvider) -> None:
        self._fake = fake
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    @property
    def transport(self) -> asyncio.Transport:
        """The connection, which is there once connection_made was called."""
        if self._transport is None:
            raise RuntimeError("no connection yet")
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport
        self._fake._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fake._connections.discard(self)
        self._writable.set()
        if self._task and not self._task.done():
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        """End the connection from this side."""
        if self._task:
            self._task.cancel()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        request = Asked(self._url.decode(), dict(self._headers), json.loads(body) if body else None)
        self._task = asyncio.get_running_loop().create_task(self._guarded(request))

    async def _guarded(self, asked: Asked) -> None:
        try:
            await self._serve(asked)
        except asyncio.CancelledError:
            if self.transport.is_closing():
                await self._fake.note(hung_up=True)

    async def _serve(self, asked: Asked) -> None:
        fake = self._fake
        if asked.path.startswith("/control/"):
            value = fake.control(asked.path, asked.body)
            self._whole(404 if value is None else 200, json.dumps(value).encode())
            return
        if (refused := fake.admit(asked)) is not None:
            text = refused.raw or json.dumps({"error": refused.error})
            self._whole(refused.status, text.encode(), refused.headers)
            return
        if asked.path == "/v1/models":
            await self._models()
            return
        if (answer := await fake.told(asked)) is not None:
            fake.probed.append(asked)
            self._whole(answer[0], json.dumps(answer[1]).encode())
            return
        if asked.body is None:
            fake.probed.append(asked)
            self._whole(404, b'{"error":{"message":"no such path"}}')
            return
        fake.asked.append(asked)
        await fake.note()
        if asked.path == "/v1/chat/completions":
            await self._chat(self._reply(asked.body), asked)
        elif form := fake.forms.get(asked.path):
            await self._formed(form, asked.body)
        elif asked.path == "/v1/embeddings":
            reply = fake.replies.popleft() if fake.replies else Reply()
            body = embeddings(asked.body, asked.body["model"])
            await self._faulty(reply, lambda: [_head(200, "application/json", len(body)), body])
        else:
            self._whole(404, b'{"error":{"message":"no such path"}}')

    def _reply(self, request: Mapping[str, Any]) -> Reply:
        fake = self._fake
        if refused := fake.refuse(request):
            return refused
        reply = fake.replies.popleft() if fake.replies else fake.answer(request)
        limits = [request[name] for name in fake.style.limits if request.get(name) is not None]
        return reply.shortened(min(limits, default=None))

    async def _models(self) -> None:
        if self._fake.lists_models:
            self._whole(200, json.dumps({"object": "list", "data": self._fake.rows()}).encode())
        else:
            self._whole(404, b'{"error":{"message":"no such path"}}')

    async def _formed(self, form: Form, request: Mapping[str, Any]) -> None:
        refused = form.refuse(request)
        reply = refused or self._reply(form.chat(request))
        stream = bool(request.get("stream"))
        await self._answer(
            reply, lambda: form.whole(reply, request), lambda: form.events(reply, request), stream=stream
        )

    async def _chat(self, reply: Reply, asked: Asked) -> None:
        request, style = asked.body, self._fake.style
        model, stream = request["model"], bool(request.get("stream"))
        with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        await self._answer(
            reply,
            lambda: completion(reply, model, style),
            lambda: events(reply, model, style, with_usage=with_usage),
            stream=stream,
        )

    async def _answer(
        self, reply: Reply, whole: Callable[[], bytes], events: Callable[[], Iterator[bytes]], *, stream: bool
    ) -> None:
        if reply.raw is not None:
            raw = reply.raw.encode()
            self._whole(reply.status, raw, reply.headers)
            return
        if reply.status != 200:
            self._whole(reply.status, json.dumps({"error": reply.error or {"message": "no"}}).encode(), reply.headers)
            return
        if not stream:
            body = whole()
            await self._faulty(reply, lambda: [_head(200, "application/json", len(body)), body])
            return
        await self._faulty(
            reply,
            lambda: [
                _head(200, "text/event-stream", None),
                *(_chunked(event) for event in events()),
                b"0\r\n\r\n",
            ],
        )

    async def _faulty(self, reply: Reply, parts: Callable[[], list[bytes]]) -> None:
        """Send an answer with its fault."""
        fault = reply.fault
        if fault is Fault.RESET_AT_ONCE:
            self._reset()
            return
        if fault is Fault.STALL_AT_ONCE:
            await asyncio.Event().wait()
        if fault is Fault.GARBAGE:
            page = b"<html><body>It works!</body></html>"
            self.transport.write(_head(200, "text/html", len(page)) + page)
            return
        sent = parts()
        if fault in (Fault.RESET, Fault.STALL):
            half = len(sent) // 2 if len(sent) > 2 else 1
            last = sent[half][: len(sent[half]) // 2]
            await self._send([*sent[:half], last], reply)
            if fault is Fault.RESET:
                await asyncio.sleep(0.05)  # else the reset would overtake the bytes
                self._reset()
                return
            await asyncio.Event().wait()
        if fault is Fault.HALF_EVENT:
            event = b'data: {"choices":[{"index":0,"delta":{"content":"ha'
            sent = [*sent[:3], _chunked(event), b"0\r\n\r\n"]
        if fault is Fault.ENDLESS:
            await self._send(sent[:1], reply)
            while True:
                await self._send([sent[1]] * 16, reply)
                await asyncio.sleep(reply.delay_seconds)
        await self._send(sent[:-1] if fault is Fault.OPEN_END else sent, reply)
        if fault is Fault.OPEN_END:
            await asyncio.Event().wait()

    async def _send(self, parts: Iterable[bytes], reply: Reply) -> None:
        if not reply.delay_seconds:
            parts = [b"".join(parts)]
        for part in parts:
            for start in range(0, len(part), reply.cut or len(part) or 1):
                piece = part[start : start + reply.cut] if reply.cut else part
                await self._writable.wait()
                self.transport.write(piece)
                if reply.cut:
                    await asyncio.sleep(0)
            if reply.delay_seconds:
                await asyncio.sleep(reply.delay_seconds)

    def _whole(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.transport.write(_head(status, "application/json", len(body), headers) + body)

    def _reset(self) -> None:
        peer: socket.socket = self.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self.transport.abort()


def _head(status: int, kind: str, length: int | None, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Fake", f"content-type: {kind}"]
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
