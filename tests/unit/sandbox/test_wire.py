"""Messages and descriptors over the control socket, from both ends."""

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from workers.sandbox import wire
from workers.sandbox.channel import Channel


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = wire.pair()
    with one, other:
        yield one, other


def test_a_message_arrives_with_its_descriptors(ends: tuple[socket.socket, socket.socket]) -> None:
    reader, writer = os.pipe()
    wire.send(ends[0], {"op": "ü"}, [writer])
    os.close(writer)
    received = wire.receive(ends[1])
    assert received is not None
    message, (copy,) = received
    assert message == {"op": "ü"}
    assert not os.get_inheritable(copy)
    os.write(copy, b"through")
    os.close(copy)
    assert os.read(reader, 9) == b"through"
    os.close(reader)


def test_the_end_is_told_apart_from_a_message(ends: tuple[socket.socket, socket.socket]) -> None:
    wire.send(ends[0], {})
    ends[0].close()
    assert wire.receive(ends[1]) == ({}, [])
    assert wire.receive(ends[1]) is None


@pytest.mark.parametrize("packet", [b"not json", b"[1]", b'"text"', b"\xff\xfe", b"{" + b"x" * wire.MESSAGE_BYTES])
def test_nonsense_is_refused_and_its_descriptors_closed(
    ends: tuple[socket.socket, socket.socket], packet: bytes
) -> None:
    reader, writer = os.pipe()
    socket.send_fds(ends[0], [packet], [writer])
    os.close(writer)
    with pytest.raises(wire.WireError):
        wire.receive(ends[1])
    assert os.read(reader, 1) == b""  # nobody holds the other end any more
    os.close(reader)


def test_a_message_that_is_too_long_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="131072 is the most"):
        wire.encode({"argv": "x" * wire.MESSAGE_BYTES})


async def test_a_channel_keeps_the_order_while_the_other_side_is_busy(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    got: list[int] = []
    done = asyncio.Event()

    def take(message: dict[str, Any], _: list[int]) -> None:
        got.append(message["number"])
        if len(got) == 500:
            done.set()

    sender = Channel(ends[0].dup(), take, done.set)
    for number in range(500):  # far more than a socket holds
        sender.send({"number": number, "padding": "x" * 2000})
    receiver = Channel(ends[1].dup(), take, done.set)
    async with asyncio.timeout(10):
        await done.wait()
    assert got == list(range(500))
    sender.close()
    receiver.close()


def _fill(channel: Channel, fd: int) -> None:
    for _ in range(5000):
        channel.send({"padding": "x" * 2000}, [fd])


async def test_a_channel_is_bounded_and_closes_what_it_did_not_send(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    channel = Channel(ends[0].dup(), lambda *_: None, lambda: None)
    reader, writer = os.pipe()
    with pytest.raises(BufferError, match="1024 requests"):
        _fill(channel, writer)
    channel.close()
    channel.close()
    with pytest.raises(ConnectionError):
        channel.send({})
    for end in ends:  # and with them the messages under way
        end.close()
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)


async def test_a_channel_says_once_that_it_ended(ends: tuple[socket.socket, socket.socket]) -> None:
    calls: list[str] = []
    ended = asyncio.Event()
    channel = Channel(ends[0].dup(), lambda message, _: calls.append(message["op"]), ended.set)
    wire.send(ends[1], {"op": "last"})
    for end in ends:
        end.close()
    async with asyncio.timeout(10):
        await ended.wait()
    assert calls == ["last"]
    channel.drain()
    channel.close()


async def test_a_channel_ends_on_nonsense(ends: tuple[socket.socket, socket.socket]) -> None:
    ended = asyncio.Event()
    Channel(ends[0].dup(), lambda *_: None, ended.set)
    ends[1].send(b"nonsense")
    async with asyncio.timeout(10):
        await ended.wait()
