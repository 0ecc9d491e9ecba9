"""Looking for local model servers on hosts that were named, at the ports that they usually have."""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from router.wire import Request, Target, Wire, WireError
from signet.kit.errors import invalid

HOSTS = 64
"""The most that are looked at: a scan is of machines that somebody has, never of a network."""
KNOWN = {11434: "ollama", 1234: "lmstudio", 8080: "llamacpp", 8000: "vllm"}
_AT_ONCE = 16
_SECONDS = 2.0
_MAX_BYTES = 1 << 20
_MAX_MODELS = 1000
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]{1,253})(?::(?P<port>\d{1,5}))?")
_SLUG = re.compile(r"[^a-z0-9]+")
_PORTS = range(1, 1 << 16)


@dataclass(frozen=True)
class Found:
    """A server that lists models in OpenAI's form. `name` is what a provider for it could be called."""

    name: str
    base_url: str
    models: tuple[str, ...]


async def scan(wire: Wire, hosts: Sequence[str]) -> list[Found]:
    """Ask every place once, for two seconds each; what does not answer is left out. Raises InvalidArgument."""
    places = _places(hosts)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def ask(place: tuple[str, int]) -> Found | None:
        async with slots:
            return await _ask(wire, *place)

    found = await asyncio.gather(*map(ask, places))
    return [server for server in found if server]


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
    with suppress(TimeoutError, WireError, ValueError, RecursionError):
        async with asyncio.timeout(_SECONDS):
            answer = await wire.open(Target(base_url), Request("/models"))
            try:
                body = b""
                while answer.status == 200 and len(body) <= _MAX_BYTES and (piece := await answer.read()):  # noqa: PLR2004 - OK
                    body += piece
            finally:
                await answer.aclose()
        if models := _models(body):
            where = _SLUG.sub("-", host.lower()).strip("-")
            return Found(f"{KNOWN.get(port, 'openai')}-{where}"[:63].rstrip("-"), base_url, models)
    return None


def _models(body: bytes) -> tuple[str, ...]:
    """Read a list of models; nothing for what is none."""
    value = json.loads(body)
    listed = value.get("data") if isinstance(value, dict) else None
    names = [item.get("id") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return tuple(name for name in names if isinstance(name, str) and name.isprintable() and name)[:_MAX_MODELS]
