"""The upstream that measuring puts behind a router: OpenAI's form, 64 tokens, whole, in a burst or paced at 5 ms."""

import asyncio
import json
import socket
import sys
from typing import cast

import httptools

CHUNKS = 64
SECONDS = 0.005
LAST = b'"output_tokens":64'

_COMMON = {"id": "chatcmpl-1", "created": 1790000000, "model": "m", "system_fingerprint": "fp_1"}
_USAGE = {"prompt_tokens": 25, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 25}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _data(_json({**_COMMON, "object": "chat.completion.chunk", "choices": [choice], "usage": None}))


def _data(payload: bytes) -> bytes:
    event = b"data: " + payload + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def _whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


_MESSAGE = {"role": "assistant", "content": " token" * CHUNKS}
_ANSWER = _whole(_json({**_COMMON, "object": "chat.completion", "usage": _USAGE, "choices": [
    {"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}]}))  # fmt: skip
_MODELS = _whole(
    _json({"object": "list", "data": [{"id": "burst", "object": "model"}, {"id": "paced", "object": "model"}]})
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_FIRST = _HEAD + _event({"role": "assistant", "content": ""})
_TOKEN = _event({"content": " token"})
_TAIL = (
    _event({}, "stop")
    + _data(_json({**_COMMON, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}))
    + _data(b"[DONE]")
    + b"0\r\n\r\n"
)
_BURST = _FIRST + _TOKEN * CHUNKS + _TAIL


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read requests."""
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        """Collect one."""
        self._body += piece

    def on_message_complete(self) -> None:
        """Answer it."""
        body, self._body = self._body, b""
        if not body:
            self._transport.write(_MODELS)
        elif b'"stream":true' not in body:
            self._transport.write(_ANSWER)
        elif b'"model":"paced"' in body:
            self._transport.write(_FIRST)
            self._loop.call_later(SECONDS, self._pace, CHUNKS, self._loop.time() + SECONDS)
        else:
            self._transport.write(_BURST)

    def _pace(self, left: int, due: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_TOKEN if left else _TAIL)
        if left:
            self._loop.call_at(due + SECONDS, self._pace, left - 1, due + SECONDS)


async def main(listener: socket.socket) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Upstream, sock=listener, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1]))))
