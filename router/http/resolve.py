"""Names turned into addresses, in the order in which they are to be tried, and remembered for a short while."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

_KEEP_SECONDS = 30.0
_ENTRIES = 256
_ADDRESSES = 16  # a name with more of them is not tried to the end


@dataclass(frozen=True)
class Address:
    """A socket's family, and where it is to be connected to."""

    family: int
    name: tuple[Any, ...]


class Resolver:
    """Looks names up with the system's resolver; many questions for one name at once are one question."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    async def find(self, host: str, port: int) -> list[Address]:
        """Give a host's addresses, families in turn (RFC 8305). Raises OSError. Deadlines are the caller's."""
        if literal := _literal(host, port):
            return [literal]
        key = (host, port)
        known = self._known.get(key)
        if known and known[0] > self._clock():
            return known[1]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(host, port))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    def forget(self, host: str, port: int) -> None:
        """Ask anew next time: nobody was found there."""
        self._known.pop((host, port), None)

    async def aclose(self) -> None:
        """End the questions that are under way."""
        for task in list(self._asking.values()):
            task.cancel()

    async def _ask(self, host: str, port: int) -> list[Address]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = in_turn([Address(family, name) for family, _, _, _, name in found])[:_ADDRESSES]
        if not addresses:
            raise OSError(f"{host} has no address")
        while len(self._known) >= _ENTRIES:
            self._known.pop(next(iter(self._known)))
        self._known[host, port] = (self._clock() + _KEEP_SECONDS, addresses)
        return addresses

    def _answered(self, key: tuple[str, int], task: asyncio.Task[list[Address]]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, even if everybody who asked has left


def in_turn(addresses: list[Address]) -> list[Address]:
    """Order addresses so that families alternate, beginning with that of the first one."""
    first = [each for each in addresses if each.family == addresses[0].family]
    rest = [each for each in addresses if each.family != addresses[0].family]
    return [each for each in chain.from_iterable(zip_longest(first, rest)) if each is not None]


def _literal(host: str, port: int) -> Address | None:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if version == 4:  # noqa: PLR2004 - IPv4
        return Address(socket.AF_INET, (host, port))
    return Address(socket.AF_INET6, (host, port, 0, 0))
