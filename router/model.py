"""What the router knows of a model and of a provider."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from functools import lru_cache

from router.price import UNKNOWN, Price


class State(Enum):
    """Whether something can be asked now; the names are those of the protos."""

    UNSPECIFIED = "not tried yet"
    READY = "it answered"
    STARTING = "it is starting"
    UNAVAILABLE = "it did not answer"


@dataclass(frozen=True)
class Health:
    """A state, and where it is not READY the reason; never holds a key."""

    state: State = State.UNSPECIFIED
    detail: str = ""


@dataclass(frozen=True)
class Profile:
    """What a model can do. `tool_choice` is NATIVE or EMBEDDING; `context_tokens` 0 where unknown."""

    context_tokens: int = 0
    tool_choice: str = "NATIVE"
    demonstration: bool = False
    chat: bool = True
    embeddings: bool = False


@dataclass(frozen=True)
class Spec:
    """A provider as it was set up. `models` are the only ones it offers; empty: those that it lists itself.

    `trouble` says why it cannot be asked at all, where that is known beforehand.
    """

    id: str
    kind: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    models: tuple[str, ...] = ()
    price: Price = UNKNOWN
    origin: str = "user"
    create_micros: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class Model:
    """A model that can be named: `name` is public, without `models/`."""

    name: str
    provider: str
    upstream: str
    profile: Profile
    digest: str
    health: Health


def digest(spec: Spec, upstream: str, profile: Profile, weights: str) -> str:
    """Give the sha256 by which a model is the same model: what serves it, where, how, and with which weights."""
    return _digest(spec.kind, spec.base_url, upstream, profile, weights)


@lru_cache(maxsize=4096)  # every call asks, and models do not change often
def _digest(kind: str, base_url: str, upstream: str, profile: Profile, weights: str) -> str:
    content: Mapping[str, object] = {
        "kind": kind,
        "base_url": base_url,
        "upstream": upstream,
        "profile": asdict(profile),
        "weights": weights,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
