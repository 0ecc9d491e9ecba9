"""What an attack is told: addresses, paths and numbers on the host that no wall may rest on keeping secret."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Bait:
    """Where the host has planted something. Nothing of this is itself a secret.

    `token` is what an attack sends to whatever of the host it reaches, so that the host sees who it was. `port4` …
    `udp6` are services on the host's loopback, `stream`, `datagram` and `abstract` its unix sockets, `file` holds a
    secret in `folder`, `victim` is a process of the sandbox's own host uid with a secret in its environment,
    `terminal` a terminal, `memory` and `queue` shared memory and a message queue. `namespaces` are the host's.
    `name_servers` are those of the host. The `sibling_…` are another agent's, `neighbour` a process of the same
    sandbox with a secret in its environment and memory at `neighbour_address`. `shown` are the folders of the host
    that are shown on purpose. `limits` are those of this sandbox. `proxy` is the address of the egress sidecar's
    listener inside, `sites` are the hosts and ports that egress attacks use, by what they are for.
    """

    token: str
    port4: int = 0
    port6: int = 0
    udp4: int = 0
    udp6: int = 0
    stream: str = ""
    datagram: str = ""
    abstract: str = ""
    file: str = ""
    folder: str = ""
    victim: int = 0
    terminal: str = ""
    memory: int = 0
    queue: str = ""
    namespaces: Mapping[str, str] = field(default_factory=dict)
    name_servers: tuple[str, ...] = ()
    host_uid: int = 0
    host_pid: int = 0
    sibling: str = ""
    sibling_pid: int = 0
    sibling_port: int = 0
    neighbour: int = 0
    neighbour_address: int = 0
    neighbour_descriptor: int = 0
    shown: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    proxy: tuple[str, int] | None = None
    sites: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Write this as JSON values."""
        return asdict(self)

    @classmethod
    def from_wire(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_wire` wrote."""
        proxy = values["proxy"]
        lists = {
            "shown": tuple(values["shown"]),
            "name_servers": tuple(values["name_servers"]),
            "proxy": proxy and (proxy[0], proxy[1]),
        }
        return cls(**{**values, **lists})
