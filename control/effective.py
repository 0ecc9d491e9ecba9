"""What is in force for an agent: the good version of its policy, and the grants that hold."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from control.store import agents, grants, policies
from control.store.database import Connection
from control.store.grants import Grant
from control.store.policies import Version
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.errors import FailedPrecondition
from signet.kit.times import stamp
from signet.v1 import policies_pb2
from signet.work.v1 import work_pb2

MAX_GRANTS = 1000
"""Grants of one agent that can be in force at once."""

MAX_GRANT_BYTES = 1024 * 1024
"""Bytes that they may be together."""

_TOKEN_SECONDS = 24 * 3600
_MICROS = 1_000_000


@dataclass(frozen=True)
class Effective:
    """The version of a policy and the grants that hold for an agent now."""

    agent: str
    version: Version
    grants: tuple[Grant, ...]

    @cached_property
    def digest(self) -> str:
        """Sha256 over policy, version, document and grants."""
        taken = hashlib.sha256(f"{self.version.policy}\n{self.version.version}\n{self.version.digest}\n".encode())
        for grant in self.grants:
            taken.update(f"{grant.id} {grant.expire_time or 0}\n".encode())
        return taken.hexdigest()

    @cached_property
    def apis(self) -> tuple[str, ...]:
        """The APIs of the router that the policy names."""
        document = json.loads(self.version.canonical) if self.version.canonical else {}
        return tuple(document.get("apis", ()))

    def message(self) -> policies_pb2.EffectivePolicy:
        """Put it on the wire."""
        return policies_pb2.EffectivePolicy(
            agent=f"agents/{self.agent}",
            policy=f"policies/{self.version.policy}",
            version=self.version.version,
            document=self.version.canonical,
            grants=[grant_message(grant) for grant in self.grants],
            digest=self.digest,
        )

    def order(self, run_key: bytes, now: int, run: RunClaims | None = None) -> work_pb2.PolicyOrder:
        """Make the order to put it in force, with what its sidecars borrow secrets by and say which APIs it names.

        `run` is what a run's own token claims: then they are lent for that run, and no longer.
        """
        token = ""
        if self.version.secrets or self.apis:
            claims = run or RunClaims(
                run="",
                agent=f"agents/{self.agent}",
                session="",
                models=(),
                generation=0,
                expires=now // _MICROS + _TOKEN_SECONDS,
                issued=now // _MICROS,
            )
            lent = replace(claims, models=(), secrets=self.version.secrets, apis=self.apis)
            token = sign_run_token(run_key, lent)
        return work_pb2.PolicyOrder(policy=self.message(), secrets_token=token)


def of(connection: Connection, agent: str, now: int) -> Effective | None:
    """Give what is in force for an agent; None where it is deleted, or no version of its policy was ever good."""
    return of_many(connection, [agent], now).get(agent)


def of_many(connection: Connection, idents: Iterable[str], now: int) -> dict[str, Effective]:
    """Give what is in force for each of these agents; those are left out for which nothing is."""
    wanted = sorted(set(idents))
    if not wanted:
        return {}
    named = agents.policies(connection, wanted)
    versions = {policy: policies.in_force(connection, policy) for policy in set(named.values())}
    held: dict[str, list[Grant]] = {}
    for grant in grants.of_agents(connection, wanted, now):
        held.setdefault(grant.agent, []).append(grant)
    return {
        agent: Effective(agent, version, tuple(held.get(agent, ())[:MAX_GRANTS]))
        for agent, policy in named.items()
        if (version := versions[policy]) is not None
    }


def nothing(agent: str) -> FailedPrecondition:
    """Say that nothing is in force for an agent, so it may do nothing."""
    message = f"no version of the policy of agents/{agent} was ever good, so it may do nothing"
    return FailedPrecondition("POLICY_INVALID", message, hint="signet policy apply")


def grant_message(grant: Grant) -> policies_pb2.Grant:
    """Put a grant on the wire."""
    return policies_pb2.Grant(
        name=f"grants/{grant.id}",
        agent=f"agents/{grant.agent}",
        scope=grant.scope,  # type: ignore[arg-type] # the store keeps the enum's number
        subject=grant.subject,
        ask=policies_pb2.Ask.FromString(grant.ask),
        caller=grant.caller,
        create_time=stamp(grant.create_time),
        expire_time=None if grant.expire_time is None else stamp(grant.expire_time),
        revoke_time=None if grant.revoke_time is None else stamp(grant.revoke_time),
        approval=f"approvals/{grant.approval}" if grant.approval else "",
    )
