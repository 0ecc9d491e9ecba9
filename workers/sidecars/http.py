"""HTTP/1.1 over a plain socket, strictly: what two readers could understand differently is refused."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

HEAD_BYTES = 32 * 1024
"""Most bytes of a request or status line with its headers."""
HEADERS = 100
BODY_BYTES = 16 * 1024 * 1024
"""Most bytes of a request's body."""
READ_BYTES = 64 * 1024
UNAVAILABLE = 503
CHUNKED = -1
UNTIL_END = -2
"""A body that ends with its connection, as answers may."""

_REQUEST = re.compile(rb"([A-Z]{1,16}) (/[\x21-\x7e]*) HTTP/1\.([0-9])")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [\x20-\x7e\x80-\xff]*)?")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_LENGTH = re.compile(r"[0-9]{1,12}")


class Gone(Exception):
    """The other side closed, or broke the rules where nothing can be answered any more."""


class Refused(Exception):
    """A request that is answered with an error: status, a code for programs, and a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Head:
    """A first line's words and the headers in order, names in lower case."""

    words: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Give every value of a header."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        """Give a header's value, "" where it is missing; the last one where there are several."""
        return (self.all(name) or [""])[-1]


class Wire:
    """One connection: a non-blocking stream socket, and what was read ahead of its use."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.buffer = bytearray()
        self.ended = False
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.Task[None] | None = None

    def watch(self) -> "asyncio.Task[None]":
        """Read ahead once in the background: it is done when bytes came or the other side closed."""
        if self._watch is None or self._watch.done():
            self._watch = self._loop.create_task(self._read())
        return self._watch

    async def fill(self) -> bool:
        """Wait for more bytes; False at the end. Bytes are not lost when the wait is cancelled."""
        if self._watch is None:
            await self._read()
        else:
            await asyncio.shield(self._watch)
            self._watch = None
        return not self.ended

    async def send(self, data: bytes) -> None:
        """Write all, as fast as the other side reads. Raises Gone."""
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError as error:
            raise Gone(str(error)) from error

    async def line(self, most: int) -> bytes:
        """Take a line without its CRLF. Raises Gone where it is longer than `most` or the end came first."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > most or not await self.fill():
                raise Gone("no line")
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        return line

    def end_writing(self) -> None:
        """Say that nothing more comes from here."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.ended = True

    def close(self) -> None:
        """Close at once."""
        if self._watch:
            self._watch.cancel()
        self._sock.close()

    async def _read(self) -> None:
        try:
            data = await self._loop.sock_recv(self._sock, READ_BYTES)
        except OSError:
            data = b""
        self.buffer += data
        self.ended = not data


async def request(wire: Wire) -> tuple[Head, int] | None:
    """Read a request's head and how long its body is; None where the connection ended. Raises Refused, Gone."""
    lines = await _head(wire)
    if lines is None:
        return None
    match = _REQUEST.fullmatch(lines[0])
    if not match:
        raise Refused(400, "bad_request", "the request line is not one of HTTP/1.1")
    if match[3] != b"1":
        raise Refused(505, "http_version", "only HTTP/1.1 is spoken here")
    head = Head((match[1].decode(), match[2].decode()), _headers(lines[1:]))
    if len(head.all("host")) != 1:
        raise Refused(400, "bad_request", "exactly one host header is needed")
    length = _framing(head)
    if length > BODY_BYTES:
        raise Refused(413, "request_too_large", f"a request may have {BODY_BYTES} bytes at most")
    return head, 0 if length == UNTIL_END else length


async def response(wire: Wire) -> tuple[Head, int]:
    """Read an answer's head, passing over interim ones, and how long its body is. Raises Refused, Gone."""
    while True:
        lines = await _head(wire)
        match = _STATUS.fullmatch(lines[0]) if lines else None
        if not lines or not match:
            raise Gone("no answer" if not lines else "no HTTP")
        if not match[1].startswith(b"1"):
            break
    head = Head((match[1].decode(),), _headers(lines[1:]))
    return head, 0 if match[1] in (b"204", b"304") else _framing(head)


async def body(wire: Wire, length: int) -> AsyncIterator[bytes]:
    """Give a body's bytes as they come. Raises Gone where it ends too early or a chunk is malformed."""
    if length == CHUNKED:
        while size := _chunk(await wire.line(16)):
            async for piece in _exactly(wire, size):
                yield piece
            if await wire.line(2):
                raise Gone("a chunk has no end")
        if await wire.line(2):
            raise Gone("trailers are not taken")
    elif length == UNTIL_END:
        while wire.buffer or await wire.fill():
            yield bytes(wire.buffer)
            wire.buffer.clear()
    else:
        async for piece in _exactly(wire, length):
            yield piece


async def _exactly(wire: Wire, size: int) -> AsyncIterator[bytes]:
    while size:
        if not wire.buffer and not await wire.fill():
            raise Gone("a body ended too early")
        piece = bytes(wire.buffer[:size])
        del wire.buffer[: len(piece)]
        size -= len(piece)
        yield piece


async def _head(wire: Wire) -> list[bytes] | None:
    while (end := wire.buffer.find(b"\r\n\r\n")) < 0:
        if len(wire.buffer) > HEAD_BYTES:
            raise Refused(431, "headers_too_large", f"headers may have {HEAD_BYTES} bytes at most")
        if not await wire.fill():
            if wire.buffer:
                raise Gone("a head ended too early")
            return None
    lines = bytes(wire.buffer[:end]).split(b"\r\n")
    del wire.buffer[: end + 4]
    if end > HEAD_BYTES or len(lines) > HEADERS:
        raise Refused(431, "headers_too_large", f"headers may have {HEAD_BYTES} bytes and {HEADERS} lines at most")
    return lines


def _headers(lines: list[bytes]) -> tuple[tuple[str, str], ...]:
    """Read header lines. A folded line, a blank before the colon and a control character all fail the pattern."""
    found = [_HEADER.fullmatch(line) for line in lines]
    if not all(found):
        raise Refused(400, "bad_request", "a header is malformed")
    return tuple((m[1].decode().lower(), m[2].decode("latin-1").strip(" \t")) for m in found if m)


def _framing(head: Head) -> int:
    codings, lengths = head.all("transfer-encoding"), head.all("content-length")
    if codings and lengths:
        raise Refused(400, "bad_request", "content-length and transfer-encoding exclude each other")
    if codings:
        if [coding.lower() for coding in codings] != ["chunked"]:
            raise Refused(501, "bad_request", "the only transfer-encoding taken is chunked")
        return CHUNKED
    if not lengths:
        return UNTIL_END
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise Refused(400, "bad_request", "content-length is not one number")
    return int(lengths[0])


def error(refused: Refused) -> bytes:
    """Write an error in OpenAI's form, whole."""
    fault = {"message": refused.message, "type": "signet_error", "code": refused.code, "param": None}
    body = json.dumps({"error": fault}).encode()
    retry = "retry-after: 2\r\n" if refused.status == UNAVAILABLE else ""
    head = f"HTTP/1.1 {refused.status} -\r\ncontent-type: application/json\r\nconnection: close\r\n{retry}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _chunk(line: bytes) -> int:
    if not _SIZE.fullmatch(line):
        raise Gone("a chunk's size is malformed")
    return int(line, 16)
