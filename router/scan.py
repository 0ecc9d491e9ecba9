"""Looking for local model servers on hosts that were named, at the ports that they usually have."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from router.providers.detect import detect
from router.wire import Wire
from signet.kit.errors import invalid

HOSTS = 64
"""The most that are looked at: a scan is of machines that somebody has, never of a network."""
KNOWN = {11434: "OLLAMA", 1234: "LMSTUDIO", 8080: "LLAMACPP", 8000: "VLLM"}
_AT_ONCE = 16
_MAX_MODELS = 1000
_MAX_NAME = 63
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]{1,253})(?::(?P<port>\d{1,5}))?")
_SLUG = re.compile(r"[^a-z0-9]+")
_PORTS = range(1, 1 << 16)


@dataclass(frozen=True)
class Found:
    """A server of models. `name` is what a provider for it could be called; `wants_key`: it tells nothing without."""

    name: str
    kind: str
    base_url: str
    models: tuple[str, ...]
    wants_key: bool = False


async def scan(wire: Wire, hosts: Sequence[str]) -> list[Found]:
    """Ask every place for two seconds, and for two more what answers which server it is; what does not is left out.

    Raises InvalidArgument.
    """
    places = _places(hosts)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def ask(place: tuple[str, int]) -> Found | None:
        async with slots:
            return await _ask(wire, *place)

    found = await asyncio.gather(*map(ask, places))
    return _named([server for server in found if server])


def _places(hosts: Sequence[str]) -> list[tuple[str, int]]:
    if not 0 < len(hosts) <= HOSTS:
        raise invalid(("hosts", f"must be 1 to {HOSTS} hosts, not {len(hosts)}"))
    places: dict[tuple[str, int], None] = {}
    for index, text in enumerate(hosts):
        match = _HOST.fullmatch(text)
        port = int(match["port"]) if match and match["port"] else None
        if match is None or (port is not None and port not in _PORTS):
            raise invalid(
                (f"hosts[{index}]", f"must be a host or host:port, not {text[:80]!r}; a range is not scanned")
            )
        places |= dict.fromkeys((match["host"], each) for each in ([port] if port else KNOWN))
    return list(places)


async def _ask(wire: Wire, host: str, port: int) -> Found | None:
    base_url = f"http://{host}:{port}/v1"
    server = await detect(wire, base_url)
    if server is None:
        return None
    kind = KNOWN.get(port, server.kind) if server.wants_key and server.kind == "OPENAI" else server.kind
    if not server.models and not server.wants_key and kind == "OPENAI":
        return None  # an empty list of whatever
    where = _SLUG.sub("-", host.lower()).strip("-")
    usual = KNOWN.get(port) == kind
    name = _short(f"{kind.lower()}-{where}", "" if usual else f"-{port}")
    return Found(name, kind, base_url, server.models[:_MAX_MODELS], server.wants_key)


def _named(found: Sequence[Found]) -> list[Found]:
    """Give each a name of its own: long hosts are cut, and may then be alike."""
    names: set[str] = set()
    named = []
    for server in found:
        name, turn = server.name, 1
        while name in names:
            turn += 1
            name = _short(server.name, f"-{turn}")
        names.add(name)
        named.append(replace(server, name=name))
    return named


def _short(name: str, end: str) -> str:
    return name[: _MAX_NAME - len(end)].rstrip("-") + end
