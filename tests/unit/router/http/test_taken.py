"""A body that is taken in the moment in which it comes: all of it, in order, and no more than is wanted."""

import asyncio
from collections.abc import Callable

import pytest

from router.wire import Fault, WireError
from tests.unit.router.http.served import ASKED, Peer, client, serving

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PIECES = [bytes([65 + number]) * 1000 for number in range(20)]


async def in_chunks(peer: Peer) -> None:
    """Answer with the pieces, each by itself, and keep the connection."""
    await peer.request()
    await peer.send(CHUNKED)
    for piece in PIECES:
        await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await asyncio.sleep(0.001)
    await peer.send(b"0\r\n\r\n")


def keeping(taken: list[bytes], *, more: bool) -> Callable[[bytes], bool]:
    """Keep what comes, and always want more or never."""

    def take(piece: bytes) -> bool:
        taken.append(piece)
        return more

    return take


async def test_every_piece_is_taken_and_the_end_is_told_by_read() -> None:
    taken: list[bytes] = []
    async with serving(in_chunks) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        await answer.flow(keeping(taken, more=True))

        assert b"".join(taken) == b"".join(PIECES)
        assert await answer.read() == b""


async def test_who_wants_no_more_can_read_on_or_take_on() -> None:
    taken: list[bytes] = []
    async with serving(in_chunks) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        for _ in range(3):
            await answer.flow(keeping(taken, more=False))
            if piece := await answer.read():
                taken.append(piece)
        await answer.flow(keeping(taken, more=True))

        assert b"".join(taken) == b"".join(PIECES)


async def test_what_the_taker_raises_comes_to_who_waits() -> None:
    def refuse(_: bytes) -> bool:
        raise ValueError("not this")

    async with serving(in_chunks) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        for _ in range(2):
            with pytest.raises(ValueError, match="not this"):
                await answer.flow(refuse)


async def test_an_answer_that_breaks_off_is_told_by_read_after_all_that_came() -> None:
    taken: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"3\r\nabc\r\n")
        await asyncio.sleep(0.01)
        await peer.send(b"3\r\ndef\r\nnonsense")

    async with serving(script) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        while len(b"".join(taken)) < 6:
            await answer.flow(keeping(taken, more=True))
            if len(b"".join(taken)) < 6 and (piece := await answer.read()):
                taken.append(piece)

        assert b"".join(taken) == b"abcdef"
        with pytest.raises(WireError) as caught:
            await answer.read()
        assert caught.value.fault is Fault.BROKEN


async def test_who_waits_for_pieces_can_be_cancelled_and_nothing_is_taken_any_more() -> None:
    taken: list[bytes] = []
    first = asyncio.Event()

    def take(piece: bytes) -> bool:
        taken.append(piece)
        first.set()
        return True

    async with serving(in_chunks) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        waiting = asyncio.create_task(answer.flow(take))
        await first.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        had = len(taken)
        assert await answer.read()
        assert len(taken) == had
