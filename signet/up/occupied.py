"""Sees before the start that the fleet's ports can be taken; a fleet that is just ending is given its time."""

import time

from signet.kit.home import Home
from signet.kit.lifecycle import StartError
from signet.up.plan import DOORS, Choices, Door, port
from signet.up.ports import Holder, holder

_PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 0.1


class PortError(StartError):
    """Raised for ports that others have; names each, who has it, and the option that chooses another."""


def check(home: Home, choices: Choices) -> None:
    """Return when every port of the fleet can be taken. Raises PortError."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while found := occupied(home, choices):
        ending = all(ours(held, home) for _, held in found)
        if not ending or time.monotonic() > deadline:
            raise PortError("\n  ".join(problem(door, port(door, home, choices), held) for door, held in found))
        time.sleep(_PAUSE_SECONDS)  # the programs of a supervisor that was killed are on their way out


def occupied(home: Home, choices: Choices) -> list[tuple[Door, Holder]]:
    """Give the fleet's ports that are taken, and by whom. Raises PortError for one that may not be taken at all."""
    found = []
    for door in DOORS:
        number = port(door, home, choices)
        try:
            held = holder(number) if number else None
        except OSError as error:
            raise PortError(
                f"port {number} ({door.name}): {error.strerror}; choose another with {door.flag}"
            ) from error
        if held:
            found.append((door, held))
    return found


def ours(held: Holder, home: Home) -> bool:
    """Tell whether a process is one of the fleet of this data folder."""
    words = held.command.split()
    return "signet.cli" in words and str(home.root) in words


def problem(door: Door, number: int, held: Holder) -> str:
    """Say who has a port and what to do."""
    return f"port {number} ({door.name}) is taken by {held}: {mend(door)}"


def mend(door: Door) -> str:
    """Say how another port is chosen."""
    how = f"{door.flag}, {door.variable}, or {door.section}.{door.field} in config.yaml"
    return f"end that, or choose another with {how}"
