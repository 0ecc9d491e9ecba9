"""What is particular about one kind of server that speaks OpenAI's form: what it tells of itself, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from router.model import Health, Profile, State
from router.price import UNKNOWN, Price
from router.providers.reader import Reader, tokens
from router.providers.shape import Body

READY = Health(State.READY)
_MOST_NAME = 200


@dataclass(frozen=True)
class Fact:
    """What a server told of one of its models. `weights`: a digest of them, where it has one."""

    profile: Profile
    weights: str = ""
    price: Price = UNKNOWN


class Manner(Protocol):
    """One kind of server. Nothing here raises for what a server answers: what it does not tell stays unknown."""

    @property
    def refresh_seconds(self) -> float:
        """How long what it told is good for."""

    @property
    def price(self) -> Price:
        """What is known of the price of any model of it."""

    def shape(self, body: Body) -> Body:
        """Put a chat request in its own way: the same body where nothing has to be changed. Pure."""

    async def health(self, reader: Reader) -> Health:
        """Say whether a server that listed its models can be asked, too."""

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Find out about its models: `listed` as its list has them, `names` all that it is asked for."""

    async def count(self, reader: Reader, body: Mapping[str, Any], model: str) -> int | None:
        """Count a chat request's tokens exactly, as the model itself does; None where the server has no such thing."""


_CONTEXT = ("max_model_len", "context_length", "context_window", "max_context_length")


class Plain:
    """Any server: its list tells names, and with some how much a request may have."""

    refresh_seconds = 600.0
    price = UNKNOWN

    def shape(self, body: Body) -> Body:
        """Leave it as it is."""
        return body

    async def health(self, reader: Reader) -> Health:
        """Take it for ready: it listed its models."""
        del reader
        return READY

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Read the words that lists have for it."""
        del reader, names
        found = {str(row.get("id")): max(tokens(row.get(word)) for word in _CONTEXT) for row in listed}
        return {name: Fact(replace(guess(name), context_tokens=context)) for name, context in found.items() if context}

    async def count(self, reader: Reader, body: Mapping[str, Any], model: str) -> int | None:
        """Know nothing."""
        del reader, body, model
        return None


def guess(name: str) -> Profile:
    """Tell from a model's name alone what it is for."""
    embeds = "embed" in name.lower()
    return Profile(chat=not embeds, embeddings=True if embeds else None)


def usable(name: object) -> bool:
    """Whether a model can be named so."""
    return isinstance(name, str) and 0 < len(name) <= _MOST_NAME and name.isprintable()
