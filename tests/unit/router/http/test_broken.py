"""What breaks, lies, stalls or floods is one clear error, and the connection is never used again."""

import asyncio

import pytest

from router.wire import Fault, WireError
from tests.unit.router.http.served import ASKED, HI, OK, Peer, answering, ask, client, serving, silence

TE = OK + b"transfer-encoding: chunked\r\n"
LIES = {
    "length and chunks": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": TE + b"content-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nhi",
    "two lengths in one": OK + b"content-length: 2, 2\r\n\r\nhi",
    "negative length": OK + b"content-length: -2\r\n\r\nhi",
    "signed length": OK + b"content-length: +2\r\n\r\nhi",
    "huge length": OK + b"content-length: 99999999999999999999999\r\n\r\nhi",
    "two codings": OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "chunked twice": TE + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "identity": OK + b"transfer-encoding: identity\r\n\r\nhi",
    "unknown coding": OK + b"transfer-encoding: xchunked\r\n\r\nhi",
    "chunks in 1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "compressed": OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nhi",
    "no hex": TE + b"\r\nzz\r\nhi\r\n0\r\n\r\n",
    "hex prefix": TE + b"\r\n0x2\r\nhi\r\n0\r\n\r\n",
    "negative chunk": TE + b"\r\n-2\r\nhi\r\n0\r\n\r\n",
    "chunk overflow": TE + b"\r\nfffffffffffffffffff\r\nhi\r\n0\r\n\r\n",
    "chunk too long": TE + b"\r\n2\r\nhigh\r\n0\r\n\r\n",
    "bare line feed": TE + b"\r\n2\nhi\r\n0\r\n\r\n",
    "line feeds only": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
    "folded header": OK + b"x: a\r\n b\r\ncontent-length: 2\r\n\r\nhi",
    "space before colon": OK + b"content-length : 2\r\n\r\nhi",
    "zero byte": OK + b"x: a\0b\r\ncontent-length: 2\r\n\r\nhi",
    "bare return": OK + b"x: a\rb\r\ncontent-length: 2\r\n\r\nhi",
    "no header": OK + b"nonsense\r\ncontent-length: 2\r\n\r\nhi",
    "a page": b"<html>It works!</html>",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "http/2": b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "status 099": b"HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\nhi",
    "status 999": b"HTTP/1.1 999 OK\r\ncontent-length: 2\r\n\r\nhi",
    "another protocol asked for": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nxx",
    "another protocol unnamed": b"HTTP/1.1 101 Switching\r\n\r\n" + HI,
    "long header": OK + b"x: " + b"a" * 40_000 + b"\r\ncontent-length: 2\r\n\r\nhi",
    "many headers": OK + b"x: a\r\n" * 300 + b"content-length: 2\r\n\r\nhi",
    "large head": OK + (b"x: " + b"a" * 1000 + b"\r\n") * 80 + b"content-length: 2\r\n\r\nhi",
    "long trailer": TE + b"\r\n2\r\nhi\r\n0\r\nx: " + b"a" * 40_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_answer_that_could_be_read_in_two_ways_is_none(lie: str) -> None:
    async with serving(answering(LIES[lie], then=silence)) as served, client() as wire:
        with pytest.raises(WireError) as caught:
            await ask(wire, served)
        assert caught.value.fault is Fault.BROKEN
        assert "aaaa" not in str(caught.value)
        await served.until(lambda seen: seen.over == 1)
        assert len(served.peers) == 1


async def flood(peer: Peer, start: bytes, piece: bytes) -> None:
    await peer.request()
    await peer.send(start)
    while True:
        await peer.send(piece)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (OK, b"x: " + b"a" * 1000 + b"\r\n"),
        (OK + b"x: ", b"a" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (TE + b"\r\n2;", b"a" * 1000),
        (TE + b"\r\n2\r\nhi\r\n0\r\n", b"x: " + b"a" * 1000 + b"\r\n"),
    ],
    ids=["headers", "one header", "interim answers", "a chunk extension", "trailers"],
)
async def test_a_flood_that_is_no_body_ends_at_its_bound(start: bytes, piece: bytes) -> None:
    async with serving(lambda peer: flood(peer, start, piece)) as served, client() as wire:
        with pytest.raises(WireError) as caught:
            await ask(wire, served)
        assert caught.value.fault is Fault.BROKEN
        await served.until(lambda seen: seen.over == 1)


CUT = [
    b"",
    b"HTT",
    OK,
    OK + b"content-length: 5\r\n\r\n",
    OK + b"content-length: 5\r\n\r\nhi",
    TE + b"\r\n2\r\nhi\r\n",
    TE + b"\r\n5\r\nhi",
]


@pytest.mark.parametrize("said", CUT)
@pytest.mark.parametrize("rude", [False, True])
async def test_an_answer_that_is_cut_is_broken_wherever_it_is_cut(said: bytes, *, rude: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(said)
        if rude:
            await asyncio.sleep(0.05)  # else the reset would overtake the bytes
            peer.reset()

    async with serving(script) as served, client() as wire:
        with pytest.raises(WireError) as caught:
            await ask(wire, served)
        assert caught.value.fault is Fault.BROKEN
        assert len(served.asked) == 1  # and it was asked once only: it may have been served


async def test_a_reset_where_the_close_would_be_the_end_is_no_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\nhalf")
        await asyncio.sleep(0.05)
        peer.reset()

    async with serving(script) as served, client() as wire:
        with pytest.raises(WireError) as caught:
            await ask(wire, served)
        assert caught.value.fault is Fault.BROKEN


async def test_what_came_before_the_break_is_given_first() -> None:
    said = TE + b"\r\n2\r\nhi\r\nzz\r\n"
    async with serving(answering(said, then=silence)) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        assert await answer.read() == b"hi"
        for _ in range(2):
            with pytest.raises(WireError):
                await answer.read()
        await answer.aclose()


async def test_a_stalled_answer_is_its_callers_to_end_and_the_server_sees_it_at_once() -> None:
    async with serving(answering(b"", then=silence)) as served, client() as wire:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await wire.open(served.target, ASKED)
        await served.until(lambda seen: seen.over == 1)
        assert wire.sizes[served.base_url.split("/")[2]] == (0, 0)


async def test_a_caller_that_leaves_before_the_head_closes_the_connection() -> None:
    async with serving(answering(b"", then=silence)) as served, client() as wire:
        call = asyncio.create_task(wire.open(served.target, ASKED))
        await served.until(lambda seen: seen.asked)
        call.cancel()
        await served.until(lambda seen: seen.over == 1)
        assert call.cancelled()


async def test_a_caller_that_leaves_in_the_middle_of_a_body_closes_the_connection() -> None:
    async with serving(answering(TE + b"\r\n2\r\nhi\r\n", then=silence)) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        assert await answer.read() == b"hi"
        reading = asyncio.create_task(answer.read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        await answer.aclose()
        await answer.aclose()  # a second time does nothing
        await served.until(lambda seen: seen.over == 1)
        assert wire.sizes[served.base_url.split("/")[2]] == (0, 0)


async def test_closing_the_client_ends_calls_that_are_under_way() -> None:
    async with serving(answering(TE + b"\r\n2\r\nhi\r\n", then=silence)) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        assert await answer.read() == b"hi"
        reading = asyncio.create_task(answer.read())
        await asyncio.sleep(0)
        await wire.aclose()
        with pytest.raises(WireError):
            await reading
        await answer.aclose()
        await served.until(lambda seen: seen.over == 1)


async def test_no_error_is_left_for_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(answering(TE + b"\r\n2\r\nhi\r\nzz\r\n")) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        await answer.aclose()
        call = asyncio.create_task(wire.open(served.target, ASKED))
        await served.until(lambda seen: len(seen.asked) == 2)
        call.cancel()
        await asyncio.wait([call])
        if not call.cancelled() and not call.exception():
            await call.result().aclose()
    assert not caplog.records


async def test_after_every_fault_the_next_call_is_served() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(LIES["two lengths"] if peer.number == 0 else HI)
        await peer.hung_up()

    async with serving(script) as served, client() as wire:
        with pytest.raises(WireError):
            await ask(wire, served)
        assert await ask(wire, served) == b"hi"
