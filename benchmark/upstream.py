"""A scripted upstream with no delay: asks for one tool call, then answers. `python -m benchmark.upstream SOCKET-FD`.

It speaks just enough of OpenAI's streamed chat completions, keeps connections, and costs next to nothing, so that what
a benchmark sees is what stands before it.
"""

import asyncio
import json
import socket
import sys
from typing import Any

MODEL = "scripted"
COMMAND = "true"
"""What the tool call runs."""

ANSWER = "Done."


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _usage(tokens: int) -> bytes:
    usage = {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [], "usage": usage}
    return b"data: " + json.dumps(body).encode() + b"\n\ndata: [DONE]\n\n"


def _response(body: bytes, kind: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (kind, len(body), body)


_CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "exec", "arguments": json.dumps({"command": COMMAND})},
}
_ASKS = _response(
    _chunk({"role": "assistant", "tool_calls": [_CALL]}) + _chunk({}, "tool_calls") + _usage(12), b"text/event-stream"
)
_ANSWERS = _response(
    _chunk({"role": "assistant", "content": ANSWER}) + _chunk({}, "stop") + _usage(3), b"text/event-stream"
)
_MODELS = _response(
    json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode(), b"application/json"
)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await _answer(head, reader))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _answer(head: bytes, reader: asyncio.StreamReader) -> bytes:
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = await reader.readexactly(length)
    if head.startswith(b"GET"):
        return _MODELS
    last = json.loads(body)["messages"][-1]
    return _ANSWERS if last["role"] == "tool" else _ASKS


async def main(listener: socket.socket) -> None:
    """Serve until cancelled."""
    server = await asyncio.start_server(_serve, sock=listener)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1]))))
