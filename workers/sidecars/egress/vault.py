"""The values of secrets, borrowed from the router for a minute at most, and said to nobody but their host."""

import asyncio
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from workers.sidecars.egress import body, head
from workers.sidecars.egress.denial import Denied, Gone
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.wire import Plain

KEPT_SECONDS = 60.0
BORROW_SECONDS = 10.0
VALUE_BYTES = 64 * 1024
LEAST_LETTERS = 4
"""A shorter value cannot be told from other text in an answer, and so not be taken out of it."""
NOT_LENT = {"403", "404"}


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str | None = field(repr=False)
    until: float


class Vault:
    """What was borrowed with one door and token. A value of None is one that the router does not lend."""

    def __init__(self, door: str, token: str) -> None:
        self._door, self._token = door, token
        self._kept: dict[str, _Kept] = {}
        self._borrowing = asyncio.Lock()

    async def value(self, name: str) -> str | None:
        """Give a secret's value; None where there is none for this sandbox. Raises Denied where it cannot be had."""
        async with self._borrowing:
            kept = self._kept.get(name)
            if kept is None or kept.until < time.monotonic():
                try:
                    async with asyncio.timeout(BORROW_SECONDS):
                        value = await self._borrow(name)
                except (OSError, Gone, TimeoutError, ValueError, Denied) as error:
                    raise unlent(name, "the router did not lend it") from error
                kept = self._kept[name] = _Kept(value, time.monotonic() + KEPT_SECONDS)
            return kept.value

    async def _borrow(self, name: str) -> str | None:
        wire = Plain(await _dial(self._door))
        try:
            lines = (("host", "signet"), ("authorization", f"Bearer {self._token}"), ("connection", "close"))
            asked = head.written(f"POST /signet/v1/secrets/{name} HTTP/1.1", lines, "content-length: 0")
            await wire.send(asked)
            answer = await head.response(wire, Limits())
            if answer.words[0] in NOT_LENT:
                return None
            text = bytearray()
            async for piece in body.pieces(wire, body.of_response(answer, "POST"), strict=False):
                text += piece
                if len(text) > VALUE_BYTES:
                    raise ValueError("too long")
        finally:
            wire.close()
        if answer.words[0] != "200":
            raise ValueError("no value")
        return _checked(json.loads(text))


def unlent(name: str, why: str) -> Denied:
    """Refuse a request whose secret cannot be had."""
    return Denied(502, "secret_unavailable", f"the secret {name} is not to be had: {why}")


def _checked(answer: Any) -> str:
    value = answer["value"] if isinstance(answer, dict) else None
    if not isinstance(value, str) or len(value) < LEAST_LETTERS or not (value.isascii() and value.isprintable()):
        raise ValueError("a value that no header can carry")
    return value


async def _dial(door: str) -> socket.socket:
    """Connect to the router's door. Raises OSError."""
    unix = door.startswith("unix:")
    host, _, port = door.rpartition(":")
    family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in host else socket.AF_INET
    address: Any = door.removeprefix("unix:") if unix else (host.strip("[]"), int(port))
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
