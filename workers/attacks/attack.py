"""One attack: what it tries, what it would win, what counts as won, and what is expected of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from workers.attacks.bait import Bait
from workers.attacks.otherwise import OTHERWISE

TIERS: Final = ("standard", "strict", "gvisor", "container")
USERS: Final = ("root", "user")

Start = Literal["program", "entry", "terminal"]
Witness = Literal["secret", "proof", "host"]


class Missing(Exception):
    """Raised by an attack which finds that what it would abuse is not there: it does not apply, and is not held."""


@dataclass(frozen=True, slots=True)
class Design:
    """Why an attack is let succeed, on which tiers, and for whom. `certain` is False where it takes luck."""

    reason: str
    tiers: tuple[str, ...] = TIERS
    users: tuple[str, ...] = USERS
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack, run inside a sandbox by `workers.attacks.intruder`.

    `do` raises OSError where it was refused, Missing where it does not apply, and returns what it got hold of; its
    docstring is the title. `wins` says what that would be worth. `witness` is what counts as won: `secret`, that the
    answer holds a secret which the host planted where nobody inside may look; `proof`, that `do` returned what it saw
    or did with what it got; `host`, that the host itself observed an effect. A planted secret in the answer or an
    effect on the host counts whatever the witness. `design` is there if it may succeed. `needs` are names of
    `workers.attacks.needs`, without which it is reported as not applicable. `alone` gives it a fresh sandbox with small
    limits, for what would spoil the one that the others share. `start` is how the process is started that makes it:
    a program, an entry (a fork of pid 1, as runtimes and tools are), or a program on a terminal whose other end is the
    host's. `seconds` is how long it may take, however busy the host is.
    """

    do: Callable[[Bait], str]
    wins: str
    witness: Witness = "proof"
    design: Design | None = None
    needs: tuple[str, ...] = ()
    tiers: tuple[str, ...] = TIERS
    alone: bool = False
    start: Start = "program"
    seconds: float = 20.0

    @property
    def area(self) -> str:
        """The module it is in."""
        return self.do.__module__.rpartition(".")[2]

    @property
    def name(self) -> str:
        """Its identity, such as `network.loopback_v4`."""
        return f"{self.area}.{self.do.__name__}"

    @property
    def title(self) -> str:
        """What it tries, in a line."""
        return (self.do.__doc__ or "").partition("\n")[0].rstrip(".")

    def designed(self, tier: str, user: str) -> str:
        """Give the reason why it may succeed there, "" if it has to fail."""
        design = self.design
        if design and tier in design.tiers and user in design.users:
            return design.reason
        return OTHERWISE.get(tier, {}).get(self.name, "")
