"""What a run reached and what it was refused, from its events."""

from collections.abc import Iterable
from dataclasses import dataclass

from signet.v1 import events_pb2

VERDICTS = {
    "allow": ("let through", "✓", "good"),
    "audit": ("let through, noted", "◑", "warn"),
    "deny": ("refused", "✕", "bad"),
}
"""How a verdict is shown: a word, a sign and a tone."""


@dataclass
class Reach:
    """One place with one answer. `count` is how often."""

    decided: events_pb2.EgressDecided
    count: int

    @property
    def shown(self) -> tuple[str, str, str]:
        """Its verdict for people."""
        return VERDICTS.get(self.decided.verdict, VERDICTS["deny"])


def place(decided: events_pb2.EgressDecided) -> str:
    """Give what was reached: `api.example.org:443`, and the request in it where it was read."""
    host = f"[{decided.host}]" if ":" in decided.host else decided.host
    return f"{host}:{decided.port}" + (f" {decided.method} {decided.path}" if decided.method else "")


def program(decided: events_pb2.EgressDecided) -> str:
    """Give the program's own name."""
    return decided.binary.rpartition("/")[2]


def key(decided: events_pb2.EgressDecided) -> tuple[str, ...]:
    """Give what tells one place with one answer from another."""
    return place(decided), decided.binary, decided.verdict, decided.rule


def reached(events: Iterable[events_pb2.RunEvent]) -> list[Reach]:
    """Give the places, each with each answer once, in the order in which they were first asked for."""
    found: dict[tuple[str, ...], Reach] = {}
    for event in events:
        if event.HasField("egress_decided"):
            decided = event.egress_decided
            known = found.setdefault(key(decided), Reach(decided, 0))
            known.count += max(decided.count, 1)
    return list(found.values())
