"""What the router knows of a model and of a provider."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """What a model can do. What nobody told is None, or 0 for a count: unknown, never assumed to be missing.

    `context_tokens` are those of prompt and answer together as it is served now, `model_tokens` those that the model
    could take where it is served with fewer, `output_tokens` the most that one answer has. `tool_choice` is NATIVE or
    EMBEDDING. `tools`, `images`, `json_schema` and `reasoning`: whether it calls tools, sees images, keeps to a schema,
    thinks before it answers. `chat` and `embeddings` are guessed from its name where the endpoint does not tell:
    `embeddings` is False only where it was told.
    """

    context_tokens: int = 0
    tool_choice: str = "NATIVE"
    demonstration: bool = False
    chat: bool = True
    embeddings: bool | None = None
    tools: bool | None = None
    images: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    model_tokens: int = 0
    output_tokens: int = 0

    @property
    def most_tokens(self) -> int:
        """The tokens beyond which a call fails for certain; 0 where unknown."""
        return self.context_tokens or self.model_tokens

    def identity(self) -> Mapping[str, object]:
        """Give what is part of the model's digest: what it was set up as, not what was found out about it since."""
        return {name: bool(getattr(self, name)) if name == "embeddings" else getattr(self, name) for name in _IDENTITY}


_IDENTITY = ("chat", "context_tokens", "demonstration", "embeddings", "tool_choice")


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
    """A model that can be named: `name` is public, without `models/`; `price` what its endpoint itself asks for it."""

    name: str
    provider: str
    upstream: str
    profile: Profile
    digest: str
    health: Health
    price: Price = UNKNOWN


def digest(spec: Spec, upstream: str, profile: Profile, weights: str) -> str:
    """Give the sha256 by which a model is the same model: what serves it, where, how, and with which weights."""
    return _digest(spec.kind, spec.base_url, upstream, profile, weights)


@lru_cache(maxsize=4096)  # every call asks, and models do not change often
def _digest(kind: str, base_url: str, upstream: str, profile: Profile, weights: str) -> str:
    content: Mapping[str, object] = {
        "kind": kind,
        "base_url": base_url,
        "upstream": upstream,
        "profile": profile.identity(),
        "weights": weights,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
