"""Names are looked up once in a while, and their addresses tried in turn."""

import asyncio
import ipaddress
import socket

import pytest

from router.http.race import first
from router.http.resolve import Address, Resolver, in_turn
from router.wire import Fault, Target, WireError
from tests.unit.router.http.served import ASKED, client


async def test_a_connection_that_is_not_taken_in_time_is_given_up() -> None:
    """A full backlog: the kernel answers nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with client(connect_seconds=0.1) as wire:
            with pytest.raises(WireError, match="in time") as caught:
                await wire.open(Target(f"http://127.0.0.1:{port}"), ASKED)
            assert caught.value.fault is Fault.UNREACHABLE
            call = asyncio.create_task(wire.open(Target(f"http://127.0.0.1:{port}"), ASKED))
            await asyncio.sleep(0.01)
            call.cancel()
            await asyncio.wait([call])
            assert wire.sizes == {f"127.0.0.1:{port}": (0, 0)}
        for filler in fillers:
            filler.close()


def test_families_take_turns() -> None:
    six, four = [Address(socket.AF_INET6, (f"::{n}", 1)) for n in range(3)], [Address(socket.AF_INET, ("1", 1))]
    assert in_turn([*six, *four]) == [six[0], four[0], six[1], six[2]]


async def test_an_address_that_answers_nobody_does_not_keep_the_next_one_waiting() -> None:
    with socket.socket() as full, socket.create_server(("127.0.0.1", 0)) as open_one:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with socket.socket() as refusing:
            refusing.bind(("127.0.0.1", 0))
            ways = [full.getsockname(), refusing.getsockname(), open_one.getsockname()]
            made = await first([Address(socket.AF_INET, name) for name in ways])
            assert made.getpeername() == open_one.getsockname()
            for _ in range(3):
                await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1  # nobody is left who waits for the others
            made.close()
            with pytest.raises(ConnectionRefusedError):
                await first([Address(socket.AF_INET, refusing.getsockname())] * 2)
        for filler in fillers:
            filler.close()


async def test_a_name_is_asked_for_once_in_a_while() -> None:
    now = 0.0
    resolver = Resolver(lambda: now)
    first_time, at_once = await asyncio.gather(resolver.find("localhost", 80), resolver.find("localhost", 80))
    assert first_time is at_once
    assert {ipaddress.ip_address(each.name[0]).is_loopback for each in first_time} == {True}
    assert await resolver.find("localhost", 80) is first_time
    now = 31.0
    again = await resolver.find("localhost", 80)
    assert again is not first_time
    resolver.forget("localhost", 80)
    assert await resolver.find("localhost", 80) is not again
    with pytest.raises(socket.gaierror):
        await resolver.find("nowhere.invalid", 80)


async def test_a_name_that_is_nobodys_is_unreachable() -> None:
    async with client() as wire:
        with pytest.raises(WireError, match=r"nowhere\.invalid cannot be reached") as caught:
            await wire.open(Target("http://nowhere.invalid/v1"), ASKED)
        assert caught.value.fault is Fault.UNREACHABLE
