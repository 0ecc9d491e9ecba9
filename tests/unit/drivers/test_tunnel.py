"""A tunnel gives the far side nothing to break: what is no frame, no channel or no credit ends it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from workers.drivers import frames
from workers.drivers.frames import PAYLOAD_BYTES, BadFrame, Kind, encode
from workers.drivers.stream import WINDOW_BYTES
from workers.drivers.tunnel import Pipes, Tunnel
from workers.sandbox import wire

HELLO = b'{"message":{"op":"hello"},"fds":[]}'


@dataclass
class Far:
    """The far side, by hand: its ends of the pipes, and the control socket of the near side."""

    tunnel: Tunnel
    inward: int
    outward: int
    control: socket.socket
    ended: asyncio.Event

    def say(self, *parts: bytes) -> None:
        os.write(self.outward, b"".join(parts))

    async def over(self) -> None:
        async with asyncio.timeout(10):
            await self.ended.wait()


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    """Give a tunnel whose far side is the test."""
    near_in, outward = os.pipe()
    inward, near_out = os.pipe()
    ours, theirs = wire.pair()
    ended = asyncio.Event()
    tunnel = Tunnel(theirs, Pipes(near_in, near_out), first=1, on_end=ended.set)
    yield Far(tunnel, inward, outward, ours, ended)
    tunnel.close()
    ours.close()
    for fd in (inward, outward):
        with suppress(OSError):
            os.close(fd)


async def test_a_message_arrives_whole_however_it_is_cut(far: Far) -> None:
    for byte in encode(Kind.MESSAGE, 0, HELLO):
        far.say(bytes([byte]))
        await asyncio.sleep(0)

    assert await asyncio.to_thread(wire.receive, far.control) == ({"op": "hello"}, [])


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x63" + bytes(8),
        b"\x01" + bytes(4) + (PAYLOAD_BYTES + 1).to_bytes(4, "big"),
        encode(Kind.MESSAGE, 0, b"no json"),
        encode(Kind.MESSAGE, 0, b'{"message":{}}'),
        encode(Kind.MESSAGE, 0, b'{"message":{"op":"x"},"fds":[[3,"both"]]}'),
        encode(Kind.MESSAGE, 0, b'{"message":{"op":"x"},"fds":[[2,"odd"]]}'),
        encode(Kind.MESSAGE, 0, b'{"message":{"op":"x"},"fds":[[2,"listener"]]}'),
        encode(Kind.MESSAGE, 0, b'{"message":{"op":"x"},"fds":[[2,"in"],[2,"in"]]}'),
        encode(Kind.MESSAGE, 0, b'{"message":{"op":"x"},"fds":[' + b",".join([b'[2,"in"]'] * 40) + b"]}"),
        encode(Kind.ACCEPTED, 2, b"abc"),
    ],
    ids=["kind", "length", "json", "fields", "our number", "word", "listener", "twice", "many", "count"],
)
async def test_nonsense_ends_it(far: Far, nonsense: bytes) -> None:
    far.say(nonsense)

    await far.over()


async def test_more_bytes_than_were_granted_end_it(far: Far) -> None:
    far.say(encode(Kind.MESSAGE, 0, b'{"message":{"op":"x"},"fds":[[2,"in"]]}'))
    piece = encode(Kind.DATA, 2, bytes(65_536))
    for _ in range(2 * WINDOW_BYTES // 65_536 + 1):  # nobody reads the pipe, which takes 64 KiB itself
        with suppress(BrokenPipeError):
            await asyncio.to_thread(far.say, piece)

    await far.over()


async def test_credit_that_was_never_used_ends_it(far: Far) -> None:
    far.say(encode(Kind.MESSAGE, 0, b'{"message":{"op":"x"},"fds":[[2,"both"]]}'))
    far.say(encode(Kind.CREDIT, 2, frames.count(1)))

    await far.over()


async def test_what_comes_late_for_a_channel_that_is_over_is_passed_over(far: Far) -> None:
    far.say(encode(Kind.DATA, 40, b"late"), encode(Kind.END, 40), encode(Kind.CREDIT, 40, frames.count(9)))
    far.say(encode(Kind.MESSAGE, 0, HELLO))

    assert await asyncio.to_thread(wire.receive, far.control) == ({"op": "hello"}, [])


async def test_no_more_is_sent_than_the_far_side_has_granted(far: Far) -> None:
    body = bytes(4 * WINDOW_BYTES)
    reading, writing = os.pipe()
    wire.send(far.control, {"op": "start", "id": 1}, [reading])
    os.close(reading)
    feeding = asyncio.create_task(asyncio.to_thread(_feed, writing, body))
    buffer, sent = bytearray(), 0
    async with asyncio.timeout(20):
        while sent < WINDOW_BYTES:
            buffer += await asyncio.to_thread(os.read, far.inward, 1 << 20)
            sent += sum(len(payload) for kind, _, payload in frames.take(buffer) if kind == Kind.DATA)
    os.set_blocking(far.inward, False)
    await asyncio.sleep(0.1)

    assert sent == WINDOW_BYTES
    with pytest.raises(BlockingIOError):
        os.read(far.inward, 1)
    far.say(encode(Kind.STOP, 1))  # nobody wants the rest
    await feeding


def test_a_payload_that_is_too_long_is_not_made() -> None:
    with pytest.raises(ValueError, match="the most"):
        encode(Kind.DATA, 1, bytes(PAYLOAD_BYTES + 1))


def test_a_frame_in_pieces_waits_for_its_rest() -> None:
    buffer = bytearray(encode(Kind.DATA, 7, b"abc")[:-1])

    assert list(frames.take(buffer)) == []
    buffer += b"c"
    assert list(frames.take(buffer)) == [(Kind.DATA, 7, b"abc")]
    assert not buffer


@pytest.mark.parametrize("payload", [b"", b"abc", b"abcde"])
def test_a_count_has_four_bytes(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        frames.counted(payload)


def _feed(fd: int, body: bytes) -> None:
    with suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(body)
