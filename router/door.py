"""The door: OpenAI's HTTP form of chat, embeddings and models, and secrets for sidecars: a plain ASGI application."""

import asyncio
import json
import traceback
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from router.ask import CHAT, EMBEDDINGS, parse
from router.attempt import CallerGone
from router.authorise import Authoriser, Identity
from router.broker import Broker
from router.refusal import Refusal
from router.secrets import Secrets
from router.watch import Watch
from signet.kit.log import Log

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_SECRETS = "/signet/v1/secrets/"
_CALLS = {"/v1/chat/completions": CHAT, "/v1/embeddings": EMBEDDINGS}
_NOT_THE_CALLERS = 500  # from this status on it is for the operator to know
_LARGE_BYTES = 256 << 10  # a body beyond this is parsed in a thread, so that others are not held up


class Door:
    """Answers HTTP. `idle_seconds` bounds the wait for a caller that sends nothing or reads nothing."""

    def __init__(
        self,
        authoriser: Authoriser,
        broker: Broker,
        secrets: Secrets,
        log: Log,
        *,
        body_bytes: int,
        idle_seconds: float,
    ) -> None:
        self._authoriser = authoriser
        self._broker = broker
        self._secrets = secrets
        self._log = log
        self._body_bytes = body_bytes
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the door speaks HTTP only, not {scope['type']}")
        sink = Reply(send, self._idle_seconds)
        try:
            await self._serve(scope, receive, sink)
        except Refusal as refusal:
            await self._refuse(sink, refusal)
        except CallerGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets one clear error
            await self._refuse(sink, self._fault(error))
        finally:
            sink.close()

    async def _serve(self, scope: Message, receive: Receive, sink: "Reply") -> None:
        path: str = scope["path"]
        method: str = scope["method"]
        authorization = _header(scope, b"authorization")
        if path in _CALLS:
            _allow(method, "POST")
            who = await self._authoriser.identify(authorization)
            raw = await self._body(scope, receive, sink.watch)
            ask = await asyncio.to_thread(parse, _CALLS[path], raw) if len(raw) > _LARGE_BYTES else parse(
                _CALLS[path], raw
            )  # fmt: skip
            del raw
            await _while_there(receive, self._broker.answer(ask, who, sink))
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            _allow(method, "GET")
            who = await self._authoriser.identify(authorization, reading=True)
            await sink.whole(json.dumps(self._models(who, path)).encode())
        elif path.startswith(_SECRETS):
            _allow(method, "POST")
            who = await self._authoriser.identify(authorization)
            value = await self._secrets.lend(path.removeprefix(_SECRETS), who)
            await sink.whole(json.dumps({"value": value}).encode())
        elif path == "/health":
            _allow(method, "GET")
            await sink.whole(b'{"status":"ok"}')
        else:
            raise Refusal(404, "invalid_request", f"there is no {path}; there are {', '.join([*_CALLS, '/v1/models'])}")

    def _models(self, who: Identity, path: str) -> dict[str, Any]:
        wanted = unquote(path.removeprefix("/v1/models").removeprefix("/"))
        models = [model for model in self._broker.fleet.models() if who.may(model.name)]
        items = [
            {"id": model.name, "object": "model", "created": 0, "owned_by": model.provider}
            for model in models
            if wanted in ("", model.name)
        ]
        if not wanted:
            return {"object": "list", "data": items}
        if not items:
            raise Refusal(404, "model_not_found", f"there is no model {wanted!r} for this token", "model")
        return items[0]

    async def _body(self, scope: Message, receive: Receive, watch: Watch) -> bytes:
        said = _header(scope, b"content-length")
        if said.isdecimal() and int(said) > self._body_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._within(receive, watch)
            if message["type"] == "http.disconnect":
                raise CallerGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._body_bytes:
                raise self._too_large()
            if not message.get("more_body"):
                return b"".join(parts)

    async def _within(self, receive: Receive, watch: Watch) -> Message:
        try:
            with watch(self._idle_seconds):
                return await receive()
        except TimeoutError as error:
            raise Refusal(408, "invalid_request", f"no more of the body came in {self._idle_seconds:g} s") from error

    def _too_large(self) -> Refusal:
        return Refusal(413, "invalid_request", f"the body is larger than {self._body_bytes} bytes (router.body_bytes)")

    async def _refuse(self, sink: "Reply", refusal: Refusal) -> None:
        if refusal.status >= _NOT_THE_CALLERS:
            self._log.warning("call_refused", status=refusal.status, code=refusal.code)
        try:
            await (sink.end(refusal.event()) if sink.started else sink.refuse(refusal))
        except CallerGone:
            return

    def _fault(self, error: Exception) -> Refusal:
        ident = uuid.uuid4().hex[:12]
        at = [
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        self._log.error("call_failed", error_id=ident, kind=type(error).__name__, at=at[-6:])
        return Refusal(500, "internal_error", f"a fault of the router's; its log has it as {ident}")


class Reply:
    """The answer's way back, as ASGI messages."""

    def __init__(self, send: Send, idle_seconds: float) -> None:
        self._send = send
        self._idle_seconds = idle_seconds
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
        body = refusal.body()
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

    async def end(self, piece: bytes) -> None:
        """Send a stream's last events."""
        if not self.started:
            await self._begin()
        await self._put(piece, more=False)

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


async def _while_there(receive: Receive, work: Awaitable[None]) -> None:
    """Do the work for as long as the caller is there. When it leaves, the work is cancelled: raises CallerGone."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("the door's calls are tasks")
    before = task.cancelling()
    working = True

    def gone(left: "asyncio.Task[None]") -> None:
        if not left.cancelled() and working:
            task.cancel()

    left = asyncio.create_task(_leaving(receive))
    left.add_done_callback(gone)
    try:
        await work
    except asyncio.CancelledError:
        if left.done() and task.uncancel() <= before:
            raise CallerGone from None
        raise
    finally:
        working = False
        left.cancel()


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _allow(method: str, wanted: str) -> None:
    if method != wanted:
        raise Refusal(405, "invalid_request", f"use {wanted} here, not {method}")


def _header(scope: Message, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
