"""The router's door as a sidecar sees it: a served HTTP end that says exactly what it is told to say."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

Part = bytes | asyncio.Event
"""Bytes to send, or an event to wait for before the next."""


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> list[str]:
        """Give every value of a header."""
        return [value for key, value in self.headers if key == name]


@dataclass
class Door:
    """What it will answer, in order, and what it was asked. An answer that nobody asked for fails the test."""

    answers: list[Sequence[Part]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a caller closed before it was answered whole."""
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def was_asked(self, count: int) -> None:
        """Wait until it was asked so often."""
        async with asyncio.timeout(30):
            while len(self.asked) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            self.asked.append(await _request(reader))
            self.arrived.set()
            answer = self.answers.pop(0)
            gone = asyncio.create_task(reader.read(1))
            sending = asyncio.create_task(_send(writer, answer))
            await asyncio.wait([gone, sending], return_when=asyncio.FIRST_COMPLETED)
            if not sending.done() or sending.exception():
                self.dropped.set()
            gone.cancel()
            sending.cancel()
            await asyncio.wait([gone, sending])
        finally:
            writer.close()


async def _send(writer: asyncio.StreamWriter, answer: Sequence[Part]) -> None:
    for part in answer:
        if isinstance(part, bytes):
            writer.write(part)
            await writer.drain()
        else:
            await part.wait()


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = tuple((key, value) for key, _, value in (line.partition(": ") for line in head[1:] if line))
    length = next((int(value) for key, value in headers if key == "content-length"), 0)
    return Asked(head[0], headers, await reader.readexactly(length))


@asynccontextmanager
async def serving(door: Door, socket: Path) -> AsyncIterator[str]:
    """Serve it on a unix socket; gives what a sidecar dials."""
    server = await asyncio.start_unix_server(door.handle, socket)
    async with server:
        yield f"unix:{socket}"
    assert not door.answers, "nobody asked for these answers"


def json_answer(body: bytes, *, status: int = 200, usage: str = "") -> list[Part]:
    """Make an answer that is not streamed."""
    extra = f"x-signet-usage: {usage}\r\n" if usage else ""
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\n{extra}content-length: {len(body)}\r\n\r\n"
    return [head.encode() + body]


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Make one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream_answer(*events: bytes | asyncio.Event, usage: str = "") -> list[Part]:
    """Make a streamed answer of `data:` events, `[DONE]` and the usage."""
    parts: list[Part] = [STREAM]
    parts += [event if isinstance(event, asyncio.Event) else chunk(b"data: " + event + b"\n\n") for event in events]
    parts.append(chunk(b"data: [DONE]\n\n"))
    if usage:
        parts.append(chunk(f": signet-usage {usage}\n\n".encode()))
    return [*parts, END]
