"""What is asked of a policy, and its answer."""

from dataclasses import dataclass, field
from typing import Literal

from signet.policy.model import Endpoint

Verdict = Literal["allow", "deny", "audit"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection that something inside wants. `binaries` are the programs that hold its socket; none is unknown."""

    host: str
    port: int
    binaries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant as decisions see it. `kind` is network (host, port) or command; `expires` is Unix seconds, None never."""

    name: str
    kind: str
    host: str = ""
    port: int = 0
    command: str = ""
    expires: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it is in force at a time."""
        return self.expires is None or now < self.expires


@dataclass(frozen=True, slots=True)
class Match:
    """An endpoint whose host and port are those of an attempt, or a grant (no endpoint).

    `allows`: its allowing half counts, as every program that holds the socket may use it. `denies`: its denying half
    counts, as one of them may, or nobody knows which they are.
    """

    where: str
    endpoint: Endpoint | None
    allows: bool
    denies: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer. `audit` lets through what `enforce` would deny.

    `rule` is what decided: `network.github.endpoints[0].deny[1]`, `grants/{grant}`, `commands.ask[0]`, or `default`
    where nothing matched. `inspect`: TLS has to be ended, as a rule needs method or path or a secret is lent there.
    `endpoint` is the path of the endpoint that lets through. `ask`: nothing denies it explicitly, and the policy wants
    that a person is asked. `hint` says what would let it through. `matches` is for the decisions that follow this one.
    """

    verdict: Verdict
    rule: str
    reason: str
    inspect: bool = False
    endpoint: str | None = None
    ask: bool = False
    hint: str = ""
    matches: tuple[Match, ...] = field(default=(), repr=False)

    @property
    def passes(self) -> bool:
        """Whether it is let through."""
        return self.verdict != "deny"
