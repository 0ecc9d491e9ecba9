"""Short questions to a server, about itself: bounded in time and size, and an answer that is none is no fault."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from router.wire import Request, Target, Wire, WireError

_SECONDS = 5.0
_MAX_BYTES = 4 << 20
_OK = 200
_VERSION = "/v1"
_MOST_TOKENS = 1 << 31


@dataclass(frozen=True)
class Said:
    """An answer: its HTTP status and its body; `whole` is False where that was above the bound."""

    status: int
    body: bytes
    whole: bool = True


async def ask(wire: Wire, target: Target, request: Request, max_bytes: int = _MAX_BYTES) -> Said:
    """Ask, and read what comes. Raises WireError; the deadline is the caller's."""
    answer = await wire.open(target, request)
    body = bytearray()
    try:
        while piece := await answer.read():
            body += piece
            if len(body) > max_bytes:
                return Said(answer.status, b"", whole=False)
    finally:
        await answer.aclose()
    return Said(answer.status, bytes(body))


@dataclass(frozen=True)
class Reader:
    """Asks one server. Its own interface is beside OpenAI's: where the base address ends in /v1, one level above.

    `missed` are the paths of questions that got no answer at all, which says nothing of what the server has.
    """

    wire: Wire
    target: Target
    seconds: float = _SECONDS
    missed: list[str] = field(default_factory=list)

    async def own(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask its own interface, with a body by POST; None where it has no such thing, or nothing comes of it."""
        return await self._value(self._above(), path, body)

    async def common(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask below the base address, in the same way."""
        return await self._value(self.target, path, body)

    async def status(self, path: str) -> int:
        """Give the status of an answer of its own interface; 0 where none came."""
        said = await self._said(self._above(), Request(path))
        return said.status if said else 0

    def _above(self) -> Target:
        return replace(self.target, base_url=self.target.base_url.removesuffix(_VERSION))

    async def _value(self, target: Target, path: str, body: Mapping[str, Any] | None) -> Any:
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        said = await self._said(target, Request(path, content))
        if said is None or said.status != _OK or not said.whole:
            return None
        return parsed(said.body)

    async def _said(self, target: Target, request: Request) -> Said | None:
        try:
            async with asyncio.timeout(self.seconds):
                return await ask(self.wire, target, request)
        except (TimeoutError, WireError):
            self.missed.append(request.path)
            return None


def parsed(body: bytes) -> Any:
    """Read JSON; None for what is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def rows(value: Any, name: str) -> list[Mapping[str, Any]]:
    """Give the objects of a list within an answer; none where there is no such list."""
    listed = value.get(name) if isinstance(value, Mapping) else None
    return [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []


def part(value: Any, *names: str) -> Mapping[str, Any]:
    """Give an object within an answer, by its path; an empty one where it is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def texts(value: Any) -> frozenset[str] | None:
    """Give the texts of a list; None for what is no list."""
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else None


def tokens(value: Any) -> int:
    """Give a count of tokens that a server told; 0 for nonsense, which is to say unknown."""
    return value if type(value) is int and 0 < value < _MOST_TOKENS else 0
