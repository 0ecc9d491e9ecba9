"""Finding out which server it is that answers at an address."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from router.providers.openai import models
from router.providers.reader import Reader, Said, ask, parsed, rows
from router.wire import Request, Target, Wire, WireError

_SECONDS = 2.0
_MAX_BYTES = 1 << 20
_OK = 200
_REFUSED = (401, 403)
_HOSTS = {"openrouter.ai": "OPENROUTER", "api.anthropic.com": "ANTHROPIC"}


@dataclass(frozen=True)
class Server:
    """A server that was asked. `wants_key`: it lists its models to nobody who has none, or not this one."""

    kind: str
    models: tuple[str, ...] = ()
    wants_key: bool = False


@dataclass(frozen=True)
class Tells:
    """What a server answers about itself: its list in OpenAI's form, and its own interface; None where it has none."""

    listed: Sequence[Mapping[str, Any]] = ()
    props: Any = None
    lmstudio: Any = None
    newer_lmstudio: Any = None
    ollama: Any = None


async def detect(wire: Wire, base_url: str, key: str = "", seconds: float = _SECONDS) -> Server | None:
    """Ask for its models, and if it answers in JSON, a few questions more; each for `seconds` at most, 1 MiB.

    None for what does not answer, or is no server of models. Hosts of public providers are known by their names.
    """
    target = Target(base_url.rstrip("/"), key)
    try:
        async with asyncio.timeout(seconds):
            said = await ask(wire, target, Request("/models"), _MAX_BYTES)
    except (TimeoutError, WireError):
        return None
    if said.status in _REFUSED and isinstance(parsed(said.body), Mapping):
        return Server(kind(await tells(Reader(wire, target, seconds), ())), wants_key=True)
    listed = _listed(said)
    if listed is None:
        return None
    found = kind(await tells(Reader(wire, target, seconds), listed))
    return Server(found, tuple(str(row["id"]) for row in listed))


def public(base_url: str) -> str:
    """Give the kind of a public provider, known by its host; empty for others."""
    host = (urlsplit(base_url).hostname or "").lower()
    return next((known for name, known in _HOSTS.items() if host == name or host.endswith(f".{name}")), "")


def kind(tells: Tells) -> str:
    """Tell the kind: by what only that server answers, for lists alone are much alike.

    llama.cpp comes first: it answers some of Ollama's questions as well. LM Studio answers every question with 200.
    """
    owners = {str(row.get("owned_by")) for row in tells.listed}
    if "default_generation_settings" in _object(tells.props) or "llamacpp" in owners:
        return "LLAMACPP"
    if any("state" in row and "type" in row for row in rows(tells.lmstudio, "data")):
        return "LMSTUDIO"
    if any("loaded_instances" in row for row in rows(tells.newer_lmstudio, "models")):
        return "LMSTUDIO"
    if isinstance(_object(tells.ollama).get("version"), str):
        return "OLLAMA"
    if "vllm" in owners:
        return "VLLM"
    if tells.listed and all("supported_parameters" in row and "pricing" in row for row in tells.listed):
        return "OPENROUTER"
    return "OPENAI"


async def tells(reader: Reader, listed: Sequence[Mapping[str, Any]]) -> Tells:
    """Ask a server that listed its models what it tells about itself; all at once."""
    paths = ("/props", "/api/v0/models", "/api/v1/models", "/api/version")
    return Tells(listed, *await asyncio.gather(*map(reader.own, paths)))


def _listed(said: Said) -> list[dict[str, Any]] | None:
    return models(said.body) if said.status == _OK and said.whole else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
