"""Heads are written with what follows them, and nothing is ever kept back or put out of order."""

import asyncio
from typing import Any

from router.joined import Joined


class Wire:
    """Stands for the transport below, and notes each system call it would make."""

    def __init__(self) -> None:
        self.calls: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.calls.append(bytes(data))

    def close(self) -> None:
        self.calls.append("close")


def made() -> tuple[Any, Wire]:
    wire = Wire()
    return Joined(wire), wire  # type: ignore[arg-type] # as much of a transport as is used


async def test_a_head_and_its_body_are_one_write() -> None:
    joined, wire = made()
    joined.write(b"HTTP/1.1 200 OK\r\n\r\n")
    joined.write(b"body")
    joined.write(b"more")
    await asyncio.sleep(0)
    assert wire.calls == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]


async def test_a_head_alone_goes_out_in_the_same_turn_of_the_loop() -> None:
    joined, wire = made()
    joined.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert wire.calls == []
    await asyncio.sleep(0)
    assert wire.calls == [b"HTTP/1.1 100 Continue\r\n\r\n"]


async def test_a_body_that_looks_like_a_head_is_sent_all_the_same() -> None:
    joined, wire = made()
    for part in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 is a protocol", b"HTTP/1.1 it is"):
        joined.write(part)
    await asyncio.sleep(0)
    assert b"".join(wire.calls) == b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 is a protocolHTTP/1.1 it is"  # type: ignore[arg-type]


async def test_closing_sends_what_is_held_first() -> None:
    joined, wire = made()
    joined.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    joined.close()
    await asyncio.sleep(0)
    assert wire.calls == [b"HTTP/1.1 204 No Content\r\n\r\n", "close"]
