"""One request at the door is one, however it is framed: what could be read in two ways is refused and cut off."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.joined import HEAD_BYTES
from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import OPERATOR, Rig, rig

BODY = json.dumps({"model": "fake/fake-small", "messages": [{"role": "user", "content": "hi"}]}).encode()
SECOND = b"GET /health HTTP/1.1\r\nhost: d\r\nconnection: close\r\n\r\n"
SIZE = len(BODY)


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def router(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "d", fake) as running:
        yield running


def head(*lines: str) -> bytes:
    fixed = ["POST /v1/chat/completions HTTP/1.1", "host: d", f"authorization: Bearer {OPERATOR}"]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


async def said(router: Rig, sent: bytes) -> bytes:
    """Send bytes as they are, and read until the door hangs up."""
    reader, writer = await asyncio.open_unix_connection(str(router.home.socket("door.sock")))
    try:
        writer.write(sent)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY)

AMBIGUOUS = {
    "a length and chunks": head(f"content-length: {SIZE}", "transfer-encoding: chunked") + CHUNKED,
    "chunks and a length": head("transfer-encoding: chunked", f"content-length: {SIZE}") + CHUNKED,
    "two lengths": head(f"content-length: {SIZE}", f"content-length: {SIZE + len(SECOND)}") + BODY,
    "two lengths in one": head(f"content-length: {SIZE}, {SIZE + 5}") + BODY,
    "a signed length": head(f"content-length: +{SIZE}") + BODY,
    "a length of hex": head(f"content-length: {SIZE:#x}") + BODY,
    "a length beyond all": head("content-length: 99999999999999999999999") + BODY,
    "chunks that are not last": head("transfer-encoding: chunked, identity") + CHUNKED,
    "chunks of another name": head("transfer-encoding: xchunked") + CHUNKED,
    "chunks behind a letter": head("transfer-encoding: \x0bchunked") + CHUNKED,
    "a name before a blank": head(f"content-length : {SIZE}") + BODY,
    "a folded line": head("x-a: b", f" content-length: {SIZE}") + BODY,
    "a name with a letter of its own": head(f"content\x00-length: {SIZE}") + BODY,
    "a chunk's size that is none": head("transfer-encoding: chunked") + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk's size beyond all": head("transfer-encoding: chunked") + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": head("transfer-encoding: chunked") + b"2\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_what_could_be_read_in_two_ways_is_not_answered_twice(router: Rig, fake: FakeProvider, name: str) -> None:
    answer = await said(router, AMBIGUOUS[name] + SECOND)

    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()
    assert not fake.asked


@pytest.mark.parametrize("line", [f"authorization: Bearer {OPERATOR}x", f"Authorization: Bearer {OPERATOR}"])
async def test_two_callers_in_one_request_are_nobody(router: Rig, fake: FakeProvider, line: str) -> None:
    answer = await said(router, head(line, f"content-length: {SIZE}", "connection: close") + BODY)

    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert not fake.asked


@pytest.mark.parametrize("part", ["a path", "a name", "a value", "many fields"])
async def test_an_endless_head_is_cut_off(router: Rig, fake: FakeProvider, part: str) -> None:
    endless = {
        "a path": b"GET /" + b"a" * (4 * HEAD_BYTES),
        "a name": head("x-a: b")[:-2] + b"n" * (4 * HEAD_BYTES),
        "a value": head("x-a: b")[:-4] + b"v" * (4 * HEAD_BYTES),
        "many fields": head("x-a: b")[:-2] + b"a: b\r\n" * HEAD_BYTES,
    }
    answer = await said(router, endless[part])

    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 "), answer[:200]  # who goes on sending sees a reset
    assert not fake.asked


async def test_a_head_that_does_not_come_to_an_end_is_cut_off(router: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.joined.HEAD_SECONDS", 0.05)
    answer = await said(router, head("x-a: b")[:-2])

    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_long_head_is_fine_in_pieces(router: Rig, fake: FakeProvider) -> None:
    answer = await said(
        router, head("x-a: " + "a" * (HEAD_BYTES // 2), f"content-length: {SIZE}", "connection: close") + BODY
    )

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(fake.asked) == 1


async def test_two_requests_on_one_connection_are_two(router: Rig, fake: FakeProvider) -> None:
    answer = await said(router, head(f"content-length: {SIZE}") + BODY + SECOND)

    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert len(fake.asked) == 1


async def test_what_a_caller_says_of_itself_never_reaches_the_provider(router: Rig, fake: FakeProvider) -> None:
    lines = [
        "x-api-key: stolen",
        "x-forwarded-for: 1.2.3.4",
        "cookie: a=b",
        "proxy-authorization: Basic eA==",
        "x-mine: 1",
    ]
    answer = await said(router, head(*lines, f"content-length: {SIZE}", "connection: close") + BODY)

    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    [asked] = fake.asked
    assert not {"x-api-key", "x-forwarded-for", "cookie", "proxy-authorization", "x-mine"} & set(asked.headers)
    assert OPERATOR not in str(asked.headers)
