"""The worker's options, section `worker`."""

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

from signet.kit.names import SLUG


def host_slug() -> str:
    """Make a name of the host's: its first label, as a slug."""
    label = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")[:63]
    return label if SLUG.fullmatch(label) else f"host-{label}"[:63].strip("-")


@dataclass(frozen=True)
class Options:
    """Who the worker is, what it takes, and whom it dials. Raises ValueError for one out of range."""

    name: str = field(default_factory=host_slug)
    """Name among the fleet's workers; two that share one void each other's leases. Default: the host's."""
    capacity: int = 4
    """Runs at once, 1-1000."""
    control: str = ""
    """What is dialled for control, `unix:/path` or `host:port`; empty for the local socket."""
    door: str = ""
    """Where sidecars reach the router, `unix:/path` or `host:port`; empty for the local socket."""
    token_file: Path = Path()
    """File with the worker's token; empty for the one in the data folder."""
    idle_seconds: float = 300.0
    """How long a sandbox stays open after its agent's last run."""
    warm_sandboxes: int = 8
    """Idle sandboxes that stay open, 0-1000."""
    router_wait_seconds: float = 10.0
    """How long a model call waits for a router that is away before it fails."""
    tool_seconds: int = 300
    """Most wall time of one tool call."""
    drain_seconds: float = 10.0
    """How long runs may go on after the first SIGTERM."""
    restart_seconds: float = 300.0
    """How long runs may go on after SIGHUP, before the worker begins anew without those that are not done."""
    start_seconds: float = 60.0
    """How long to wait for the worker's token at the start."""

    def __post_init__(self) -> None:
        """See that every option is in range."""
        ranges = {
            "capacity": (1, 1000),
            "idle_seconds": (0.1, 86_400),
            "warm_sandboxes": (0, 1000),
            "router_wait_seconds": (0, 300),
            "tool_seconds": (1, 86_400),
            "drain_seconds": (0, 3600),
            "restart_seconds": (0, 86_400),
            "start_seconds": (0, 3600),
        }
        bad = [
            f"{name} must be {low} to {high}, not {getattr(self, name)}"
            for name, (low, high) in ranges.items()
            if not low <= getattr(self, name) <= high
        ]
        if not SLUG.fullmatch(self.name):
            bad.append(f"name must be 1-63 of a-z, 0-9 and -, beginning with a letter, not {self.name!r}")
        if bad:
            raise ValueError("; ".join(bad))
