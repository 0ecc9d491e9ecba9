"""What every provider offers the router."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast, runtime_checkable

from router.ask import Ask
from router.embedded.child import Child
from router.gate import Gate
from router.model import Health, Model, Spec
from router.options import RouterOptions
from router.redaction.redactor import Redactor
from router.route import Offer
from router.wire import Target, Wire
from signet.kit.log import Log


class Provider(Protocol):
    """An endpoint that serves models. `start` returns at once; `aclose` ends all that it started."""

    @property
    def spec(self) -> Spec:
        """How it was set up."""

    @property
    def health(self) -> Health:
        """How it is now, from what was last seen."""

    def offer(self) -> Offer:
        """Say which of its models can be named."""

    def model(self, upstream: str) -> Model:
        """Describe one of its models, or, where its offer is open, any that may be."""

    async def start(self) -> None:
        """Begin to keep its state up to date."""

    async def check(self) -> Health:
        """Ask it now, and at most for ten seconds. Never raises for what it answers."""

    async def target(self, ask: Ask, upstream: str, wait_seconds: float) -> tuple[Target, Gate]:
        """Say where this call goes, waiting for a provider that is starting.

        Raises Refusal: 400 for what the model cannot do, 503 where the provider cannot be asked.
        """

    async def recovered(self) -> bool:
        """Say whether a call that broke before its first byte may be sent again, and wait until it makes sense.

        Never where the first one may cost money.
        """

    def observe(self, health: Health) -> None:
        """Take note of how a call went."""

    async def aclose(self) -> None:
        """End."""


@runtime_checkable
class Counts(Protocol):
    """A provider that can count before it is asked, as some can."""

    async def count(self, ask: Ask, upstream: str) -> int | None:
        """Count the tokens of a chat request as the model does; None where the endpoint cannot say. Never raises."""


@runtime_checkable
class Shapes(Protocol):
    """A provider whose endpoint takes the neutral form in a way of its own."""

    def shaped(self, ask: Ask) -> Ask:
        """Put a call in the endpoint's own way; the same one where nothing has to be changed."""

    def learns(self, status: int, body: bytes) -> bool:
        """Take note of a refusal; say whether the same call, shaped anew, may be taken. Never for one that may cost."""


def shapes(provider: Provider) -> Shapes | None:
    """Give the provider where it is one that shapes: found out once for each class, for every call asks."""
    return cast(Shapes, provider) if _shapes(type(provider)) else None


@cache
def _shapes(kind: type) -> bool:
    return issubclass(kind, Shapes)


@dataclass(frozen=True)
class Parts:
    """What providers are made from, besides their Spec."""

    wire: Wire
    options: RouterOptions
    child: Child | None
    redactor: Redactor
    log: Log


Make = Callable[[Spec, Parts], Provider]
