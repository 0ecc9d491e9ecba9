"""A real HTTP server in the OpenAI form that answers from a script, faults included.

Each request takes the next answer of the queue. A request that nothing was queued for is answered with 500; that, and
an answer that nobody asked for, is an error when the server closes.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class Fault(Enum):
    """What an answer can do in place of sending bytes."""

    RESET = auto()
    """Reset the connection."""
    CLOSE = auto()
    """Close it, wherever it is."""
    HANG = auto()
    """Send no more, until the client leaves."""


@dataclass(frozen=True)
class Endless:
    """Send this again and again until the client leaves."""

    piece: bytes


Step = bytes | Fault | Endless | asyncio.Event
"""Bytes of the body (each its own chunk), a fault, or an event to wait for."""


@dataclass(frozen=True)
class Answer:
    """One scripted answer. A raw one writes its steps to the socket as they are, with no head."""

    steps: tuple[Step, ...]
    status: int = 200
    content_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    raw: bool = False


def event(content: dict[str, Any]) -> bytes:
    """Return one server-sent event."""
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """Return the event of one chunk of a chat completion."""
    return event(
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}
    )


DONE = b"data: [DONE]\n\n"


def text(*pieces: str, finish: str = "stop", prompt_tokens: int = 0) -> Answer:
    """Return an answer that streams text."""
    usage = [event({"choices": [], "usage": {"prompt_tokens": prompt_tokens}})] if prompt_tokens else []
    return Answer((*(delta(content=piece) for piece in pieces), delta(finish), *usage, DONE))


def calls(*wanted: tuple[str, dict[str, Any] | str], said: str = "", finish: str = "tool_calls") -> Answer:
    """Return an answer that streams tool calls, their arguments cut in the middle."""
    steps = [delta(content=said)] if said else []
    for index, (name, arguments) in enumerate(wanted):
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        half = len(written) // 2
        function = {"name": name, "arguments": ""}
        steps.append(delta(tool_calls=[{"index": index, "id": f"id{index}", "type": "function", "function": function}]))
        pieces = (written[:half], written[half:])
        steps += [delta(tool_calls=[{"index": index, "function": {"arguments": piece}}]) for piece in pieces]
    return Answer((*steps, delta(finish), DONE))


def refused(status: int, code: str, message: str, **headers: str) -> Answer:
    """Return an error in the OpenAI form."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": code, "param": None}}).encode()
    return Answer((body,), status, "application/json", tuple(headers.items()))


def completion(content: str) -> Answer:
    """Return a whole, not streamed answer."""
    message = {"role": "assistant", "content": content}
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return Answer((json.dumps(body).encode(),), content_type="application/json")


def embeddings(vectors: Iterable[Sequence[float]]) -> Answer:
    """Return embeddings."""
    data = [{"object": "embedding", "index": index, "embedding": list(row)} for index, row in enumerate(vectors)]
    return Answer((json.dumps({"object": "list", "data": data}).encode(),), content_type="application/json")


@dataclass
class ModelScript:
    """The server: queue answers, read the requests that came."""

    base_url: str = ""
    queue: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client left before the end of an answer."""

    def answer(self, *answers: Answer) -> None:
        """Queue answers."""
        self.queue.extend(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:"))
            self.paths.append(head.split(" ")[1])
            self.requests.append(json.loads(await reader.readexactly(length)))
            if not self.queue:
                self.unasked.append(head)
            await self._send(
                self.queue.pop(0) if self.queue else refused(500, "unasked", "Nothing was queued"), reader, writer
            )
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()

    async def _send(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not answer.raw:
            extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in answer.headers)
            head = f"HTTP/1.1 {answer.status} X\r\ncontent-type: {answer.content_type}\r\n{extra}"
            writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        for step in answer.steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, Endless):
                while True:
                    writer.write(b"%x\r\n%b\r\n" % (len(step.piece), step.piece))
                    await writer.drain()
            elif isinstance(step, bytes):
                writer.write(step if answer.raw else b"%x\r\n%b\r\n" % (len(step), step))
                await writer.drain()
            elif step is Fault.RESET:
                raw: socket.socket = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            elif step is Fault.CLOSE:
                return
            else:
                await reader.read()
                self.left.set()
                return
        if not answer.raw:
            writer.write(b"0\r\n\r\n")
            await writer.drain()


@asynccontextmanager
async def model_script() -> AsyncIterator[ModelScript]:
    """Serve a script on loopback; at the end every answer must have been asked for, and nothing else."""
    script = ModelScript()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    script.base_url = f"http://127.0.0.1:{port}/v1"
    try:
        yield script
    finally:
        server.close()
    if script.unasked:
        raise AssertionError(f"requests that nothing was queued for: {script.unasked}")
    if script.queue:
        raise AssertionError(f"answers that nobody asked for: {script.queue}")
