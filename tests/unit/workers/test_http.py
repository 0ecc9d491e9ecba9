"""The sidecar's parser: what two readers could understand differently is refused, and nothing grows without bound."""

import asyncio
import socket

import pytest

from workers.sidecars import http
from workers.sidecars.http import CHUNKED, Gone, Refused, Wire


async def wire(data: bytes) -> Wire:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(theirs, data))
        reader = Wire(ours)
        while data and not sending.done():
            await reader.fill()
        await sending
    return reader


def post(*headers: str, body: str = "") -> bytes:
    return "\r\n".join(["POST /v1/x HTTP/1.1", "Host: h", *headers, "", body]).encode("latin-1")


async def read(data: bytes) -> bytes:
    reader = await wire(data)
    try:
        found = await http.request(reader)
        assert found
        return b"".join([piece async for piece in http.body(reader, found[1])])
    finally:
        reader.close()


GOOD = {
    "no body": (post(), b""),
    "a length": (post("Content-Length: 3", body="abc"), b"abc"),
    "a length of zero": (post("content-length: 0"), b""),
    "chunks": (post("Transfer-Encoding: Chunked", body="3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), b"abcd"),
    "what follows a body": (post("Content-Length: 3", body="abcGET / HTTP/1.1\r\n"), b"abc"),
}


@pytest.mark.parametrize("what", GOOD)
async def test_a_plain_request_is_read_whole(what: str) -> None:
    data, body = GOOD[what]
    assert await read(data) == body


BAD = {
    "a length and chunks": (post("Content-Length: 3", "Transfer-Encoding: chunked", body="0\r\n\r\n"), 400),
    "two lengths": (post("Content-Length: 3", "Content-Length: 4", body="abcd"), 400),
    "two equal lengths": (post("Content-Length: 3", "Content-Length: 3", body="abc"), 400),
    "a list of lengths": (post("Content-Length: 3, 3", body="abc"), 400),
    "a signed length": (post("Content-Length: +3", body="abc"), 400),
    "a length in hex": (post("Content-Length: 0x3", body="abc"), 400),
    "an empty length": (post("Content-Length:", body="abc"), 400),
    "a length of digits elsewhere": (post("Content-Length: \u00b2", body="abc"), 400),
    "a length beyond the bound": (post(f"Content-Length: {http.BODY_BYTES + 1}"), 413),
    "two codings": (post("Transfer-Encoding: gzip, chunked"), 501),
    "two coding headers": (post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501),
    "an unknown coding": (post("Transfer-Encoding: xchunked"), 501),
    "identity": (post("Transfer-Encoding: identity"), 501),
    "a folded header": (post("X-A: b", " c"), 400),
    "a blank before the colon": (post("Content-Length : 3", body="abc"), 400),
    "no colon": (post("nonsense"), 400),
    "an empty name": (post(": x"), 400),
    "a NUL": (post("X-A: b\0c"), 400),
    "a bare newline": (post("X-A: b\nContent-Length: 3"), 400),
    "a bare carriage return": (post("X-A: b\rContent-Length: 3"), 400),
    "no host": (b"POST /v1/x HTTP/1.1\r\n\r\n", 400),
    "two hosts": (post("Host: other"), 400),
    "another version": (b"POST / HTTP/1.0\r\nHost: h\r\n\r\n", 505),
    "no request line": (b"\r\n\r\n", 400),
    "a target with a blank": (b"POST /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "an absolute target": (b"POST http://x/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "a control character in the target": (b"POST /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "too many headers": (post(*["X-A: b"] * 100), 431),
    "headers too long": (post("X-A: " + "b" * http.HEAD_BYTES), 431),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_request_that_could_be_misread_is_refused(what: str) -> None:
    data, status = BAD[what]
    with pytest.raises(Refused) as caught:
        await read(data)
    assert caught.value.status == status


CHUNKS = {
    "an extension": "3;a=b\r\nabc\r\n0\r\n\r\n",
    "a sign": "+3\r\nabc\r\n0\r\n\r\n",
    "a prefix": "0x3\r\nabc\r\n0\r\n\r\n",
    "a blank": "3 \r\nabc\r\n0\r\n\r\n",
    "too many digits": "000000003\r\nabc\r\n0\r\n\r\n",
    "no size": "\r\nabc\r\n0\r\n\r\n",
    "more than its size": "2\r\nabc\r\n0\r\n\r\n",
    "trailers": "3\r\nabc\r\n0\r\nX-A: b\r\n\r\n",
    "an early end": "3\r\nab",
    "no last chunk": "3\r\nabc\r\n",
    "a line without end": "3" * 100,
}


@pytest.mark.parametrize("what", CHUNKS)
async def test_a_malformed_chunk_ends_the_connection(what: str) -> None:
    with pytest.raises(Gone):
        await read(post("Transfer-Encoding: chunked", body=CHUNKS[what]))


async def test_a_head_that_ends_too_early_is_no_request() -> None:
    with pytest.raises(Gone):
        await read(b"POST / HTTP/1.1\r\nHos")


async def test_a_connection_that_only_closes_is_no_error() -> None:
    reader = await wire(b"")
    assert await http.request(reader) is None
    reader.close()


async def test_a_header_built_to_be_slow_is_read_at_once() -> None:
    """A pattern that backtracks would take longer than the universe has been."""
    with pytest.raises(Refused):
        await read(post("X-A: " + "a \t" * 10_000 + "\0"))


async def test_an_answer_may_begin_with_interim_ones_and_end_with_its_connection() -> None:
    reader = await wire(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nthe rest")
    head, length = await http.response(reader)
    assert head.words == ("200",)
    assert b"".join([piece async for piece in http.body(reader, length)]) == b"the rest"
    reader.close()


@pytest.mark.parametrize("status", [b"204", b"304"])
async def test_an_answer_that_has_no_body_has_none(status: bytes) -> None:
    reader = await wire(b"HTTP/1.1 %b No\r\n\r\n" % status)
    assert (await http.response(reader))[1] == 0
    reader.close()


@pytest.mark.parametrize("data", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 200"])
async def test_an_answer_that_is_none_is_not_taken_for_one(data: bytes) -> None:
    reader = await wire(data)
    with pytest.raises(Gone):
        await http.response(reader)
    reader.close()


async def test_what_is_read_ahead_is_not_lost_when_the_wait_for_it_is_cancelled() -> None:
    ours, theirs = socket.socketpair()
    reader = Wire(ours)
    reader.watch()
    waiting = asyncio.create_task(reader.fill())
    await asyncio.sleep(0)
    waiting.cancel()
    theirs.sendall(post("Transfer-Encoding: chunked"))
    found = await http.request(reader)
    assert found
    assert found[1] == CHUNKED
    theirs.close()
    reader.close()
