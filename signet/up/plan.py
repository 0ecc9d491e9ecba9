"""What a fleet on one machine consists of, as data: which programs, in which order, and what each of them needs."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from signet.kit.home import Home


@dataclass(frozen=True)
class Program:
    """One process of the fleet.

    `needs` names programs that must have settled before this one starts: ready once, or in a crash loop.
    `ready_seconds` bounds its start, `stop_seconds` its end: past them it is killed.
    """

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_seconds: float = 60.0
    stop_seconds: float = 15.0


@dataclass(frozen=True)
class Door:
    """A TCP port of the fleet: the option that chooses it, as section and field, its flag and its default."""

    name: str
    section: str
    field: str
    flag: str
    default: int

    @property
    def variable(self) -> str:
        """The environment variable that says it."""
        return f"SIGNET_{self.section}_{self.field}".upper()


DOORS = (
    Door("web", "web", "port", "--port", 7400),
    Door("control", "control", "port", "--control-port", 7410),
    Door("router", "router", "port", "--router-port", 7411),
)
"""Every TCP port that the fleet listens on, all on loopback; 0 turns control's and the router's off."""


@dataclass(frozen=True)
class Choices:
    """What `signet up` was told: ports by door, where said, and whether the embedded models are wanted."""

    ports: Mapping[str, int] = field(default_factory=dict)
    embedded: bool = True

    def environment(self) -> dict[str, str]:
        """Say the same to the programs, in their own words."""
        said = {door.variable: str(self.ports[door.name]) for door in DOORS if door.name in self.ports}
        return said if self.embedded else said | {"SIGNET_ROUTER_EMBEDDED": "off"}


def plan(home: Home, choices: Choices) -> tuple[Program, ...]:
    """Give the programs in the order in which they start; they stop in the reverse one."""

    def program(name: str, *needs: str) -> Program:
        argv = (sys.executable, "-m", "signet.cli", name, "--data", str(home.root))
        return Program(name, argv, needs, choices.environment())

    return (program("control"), program("router"), program("worker", "control"), program("web", "control"))


def port(door: Door, home: Home, choices: Choices) -> int:
    """Find the port that a program will take: what `signet up` was told, the environment, the config file, the default.

    What is said badly counts as not said: the program itself names it.
    """
    if door.name in choices.ports:
        return choices.ports[door.name]
    said = os.environ.get(door.variable) or _configured(home.config, door)
    return int(said) if said.isdecimal() else door.default


def _configured(path: Path, door: Door) -> str:
    if not path.exists():
        return ""
    import yaml

    try:
        root = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, OSError):
        return ""
    section = root.get(door.section) if isinstance(root, dict) else None
    return str(section.get(door.field, "")) if isinstance(section, dict) else ""
