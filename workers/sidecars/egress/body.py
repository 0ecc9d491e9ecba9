"""The bodies of HTTP/1.1 messages: how long, and piece by piece. Framing is read strictly and written anew."""

import re
from collections.abc import AsyncIterator

from workers.sidecars.egress.denial import Gone, malformed
from workers.sidecars.egress.head import Head
from workers.sidecars.egress.wire import READ_BYTES, Wire

CHUNKED = -1
UNTIL_END = -2
"""A body that ends with its connection, as answers may."""

_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_SIZE_AND_MORE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[\t\x20-\x7e]*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")
_LINE_BYTES = 4096
_TRAILERS = 100


def of_request(head: Head) -> int:
    """Say how long a request's body is. Raises Denied."""
    length = _framing(head)
    return 0 if length == UNTIL_END else length


def of_response(head: Head, method: str) -> int:
    """Say how long an answer's body is. Raises Denied."""
    if method == "HEAD" or head.words[0] in {"204", "304"}:
        return 0
    return _framing(head)


async def pieces(wire: Wire, length: int, *, strict: bool) -> AsyncIterator[bytes]:
    """Give a body's bytes as they come.

    `strict`, as for requests, takes no chunk extensions and no trailers; else both are dropped. Raises Denied where a
    chunk is malformed, Gone where it ends too early.
    """
    if length == UNTIL_END:
        while wire.buffer or await wire.fill():
            yield _take(wire, READ_BYTES)
    elif length != CHUNKED:
        async for piece in _exactly(wire, length):
            yield piece
    else:
        form = _SIZE if strict else _SIZE_AND_MORE
        while size := _size(form, await _line(wire)):
            async for piece in _exactly(wire, size):
                yield piece
            if await _line(wire):
                raise malformed("a chunk is longer than its size")
        await _trailers(wire, 0 if strict else _TRAILERS)


def framed(piece: bytes, length: int) -> bytes:
    """Write a piece of a body in the framing that its head announced; the empty piece ends it."""
    if length != CHUNKED:
        return piece
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def announced(length: int) -> tuple[str, ...]:
    """Write the header line that says how a body is framed."""
    if length == CHUNKED:
        return ("transfer-encoding: chunked",)
    return () if length == UNTIL_END else (f"content-length: {length}",)


def _framing(head: Head) -> int:
    codings, lengths = head.all("transfer-encoding"), head.all("content-length")
    if codings and lengths:
        raise malformed("content-length and transfer-encoding exclude each other")
    if codings:
        if head.minor == 0 or [coding.lower() for coding in codings] != ["chunked"]:
            raise malformed("the only transfer-encoding taken is chunked, in HTTP/1.1")
        return CHUNKED
    if not lengths:
        return UNTIL_END
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise malformed("content-length is not one number")
    return int(lengths[0])


async def _trailers(wire: Wire, most: int) -> None:
    for _ in range(most + 1):
        if not await _line(wire):
            return
    raise malformed("trailers are not taken")


async def _exactly(wire: Wire, size: int) -> AsyncIterator[bytes]:
    while size:
        if not wire.buffer and not await wire.fill():
            raise Gone("a body ended too early")
        piece = _take(wire, size)
        size -= len(piece)
        yield piece


def _take(wire: Wire, most: int) -> bytes:
    piece = bytes(wire.buffer[:most])
    del wire.buffer[: len(piece)]
    return piece


async def _line(wire: Wire) -> bytes:
    """Take a line without its CRLF."""
    while (end := wire.buffer.find(b"\n")) < 0:
        if len(wire.buffer) > _LINE_BYTES:
            raise malformed("a line between chunks is too long")
        if not await wire.fill():
            raise Gone("a body ended too early")
    line = bytes(wire.buffer[: end + 1])
    del wire.buffer[: end + 1]
    if not line.endswith(b"\r\n"):
        raise malformed("a line ends with LF alone")
    return line[:-2]


def _size(form: re.Pattern[bytes], line: bytes) -> int:
    match = form.fullmatch(line)
    if not match:
        raise malformed("a chunk's size is malformed")
    return int(match[match.lastindex or 0], 16)
