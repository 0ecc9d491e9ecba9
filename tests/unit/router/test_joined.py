"""Heads are written with what follows them, and nothing is ever kept back or put out of order."""

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from router.joined import Departure, Joined


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


class Reading:
    """Stands for the transport from which a caller's bytes come."""

    def __init__(self) -> None:
        self.reads = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


async def told(departure: Departure, *, before: bool = False) -> asyncio.Task[None]:
    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        departure.begin(task)
        try:
            await asyncio.sleep(10)
        finally:
            departure.end(task)

    if before:
        departure.lost()
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("before", [False, True])
async def test_who_works_for_a_caller_is_cancelled_when_that_leaves(*, before: bool) -> None:
    departure = Departure(FlowControl(Reading()))  # type: ignore[arg-type] # as above
    tasks = [await told(departure, before=before), await told(departure)]
    if not before:
        departure.lost()
    await asyncio.wait(tasks, timeout=5)
    assert all(task.cancelled() for task in tasks)


async def test_the_end_is_read_even_behind_a_body_that_stopped_reading() -> None:
    wire = Reading()
    flow = FlowControl(wire)  # type: ignore[arg-type] # as above
    flow.pause_reading()
    task = await told(Departure(flow))
    assert wire.reads
    task.cancel()
