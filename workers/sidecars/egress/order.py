"""What the worker put in force: a policy and what belongs to it, whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from signet.policy import canonical
from signet.policy.decide import GrantView
from signet.policy.model import Policy
from workers.sidecars.egress.limits import Limits


@dataclass(frozen=True, slots=True)
class Order:
    """One `load`. `root` is the sandbox's pid 1 on the host, `roots` a file of certificates ("" is the system's own).

    `door` is the router's, unix:/path or host:port; `token` what it lends secrets for. `placeholders` are texts by the
    name of a policy's use of a secret. `ports` are the platform's, which nobody inside reaches.
    """

    policy: Policy
    grants: tuple[GrantView, ...]
    door: str
    token: str = field(repr=False)
    root: int
    placeholders: Mapping[str, str]
    ports: frozenset[int]
    roots: str
    limits: Limits

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Read a message. Raises ValueError, TypeError or KeyError for one that is not good."""
        return cls(
            policy=canonical.load(fields["document"]),
            grants=tuple(GrantView(**grant) for grant in fields["grants"]),
            door=fields["door"],
            token=fields["token"],
            root=fields["root"],
            placeholders=fields["placeholders"],
            ports=frozenset(fields["ports"]),
            roots=fields["roots"],
            limits=Limits(**fields["limits"]),
        )
