"""An HTTP API behind the router. Pure."""

from dataclasses import dataclass

from router.apis.allow import Rule
from router.apis.place import NOWHERE, Place
from router.authorise import Identity

MAX_APIS = 1_000
MAX_AGENTS = 1_000
MAX_DESCRIPTION = 1_000
MAX_PRICE = 1 << 40
MAX_RATE = 100_000
RATE = 60
LEAST_ANSWER_BYTES = 1 << 10
MAX_ANSWER_BYTES = 64 << 20
ANSWER_BYTES = 4 << 20


@dataclass(frozen=True)
class Api:
    """Its fields are the table's columns. `secret` is a name without `secrets/`, empty where it needs no credential.

    `agents`, resource names, may call it, besides those whose policy names it. `call_price_microusd` None is unknown.
    """

    id: str
    base_url: str
    secret: str = ""
    place: Place = NOWHERE
    allow: tuple[Rule, ...] = ()
    agents: tuple[str, ...] = ()
    call_price_microusd: int | None = None
    calls_per_minute: int = RATE
    answer_bytes: int = ANSWER_BYTES
    description: str = ""
    update_micros: int = 0

    @property
    def name(self) -> str:
        """Its resource name, which is what budgets and the ledger know it by."""
        return f"apis/{self.id}"

    def serves(self, who: Identity) -> bool:
        """Tell whether a caller may call it: an agent that it or a policy names, and whoever is no agent."""
        return permitted(self.id, who) or who.agent in self.agents


def permitted(ident: str, who: Identity) -> bool:
    """Tell whether a caller may call an API of that name, whatever this says itself: its policy names it.

    A token that is neither a run's nor an agent's is an operator's.
    """
    return (not who.agent and not who.run) or ident in who.apis
