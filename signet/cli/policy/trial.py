"""`signet policy test`: what a policy would say, and by which rule. Nothing is run, resolved or connected to."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from signet.policy.decide import Decision, GrantView
    from signet.policy.model import Policy
    from signet.v1.policies_pb2 import Grant

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Target:
    """What is to be reached; an empty method or path is not known."""

    host: str
    port: int
    method: str = ""
    path: str = ""

    @classmethod
    def parse(cls, text: str, method: str, path: str) -> "Target":
        """Read a URL, `host:port`, or a host, whose port is 443. Raises UsageError."""
        whole = "://" in text
        parts = urlsplit(text if whole else f"//{text}")
        try:
            port = parts.port
        except ValueError:
            raise click.UsageError(f"{text!r} has no port that is 1-65535") from None
        if whole and parts.scheme not in _PORTS:
            raise click.UsageError(f"{text!r}: only http and https are known; for others say host:port")
        if not parts.hostname or parts.username:
            raise click.UsageError(f"{text!r} is neither a URL nor host:port")
        found = path or (parts.path or "/" if whole else parts.path)
        return cls(
            parts.hostname, port or _PORTS.get(parts.scheme, 443), (method or ("GET" if found else "")).upper(), found
        )


@dataclass(frozen=True)
class Answer:
    """What was decided, by what, and about what."""

    verdict: str
    rule: str
    reason: str
    about: dict[str, Any]
    hint: str = ""
    ask: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def shape(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "verdict": self.verdict, "rule": self.rule, "reason": self.reason, "ask": self.ask, "hint": self.hint,
            "notes": list(self.notes), **self.about,
        }  # fmt: skip

    def shown(self) -> str:
        """Say it to a person."""
        mark, tone = {"allow": ("✓", "green"), "audit": ("~", "yellow")}.get(self.verdict, ("✗", "red"))
        lines = [
            f"{click.style(f'{mark} {self.verdict}', fg=tone, bold=True)}  by {click.style(self.rule, bold=True)}",
            *([f"  {self.reason}"] if self.reason else []),
            *(["  a person would be asked: signet approvals"] if self.ask else []),
            *(f"  {note}" for note in self.notes),
            *([f"  {click.style('try:', fg='cyan')} {self.hint}"] if self.hint and self.verdict != "allow" else []),
        ]
        return "\n".join(lines)


def views(grants: "list[Grant]") -> "tuple[GrantView, ...]":
    """Give grants of the wire as decisions take them."""
    from signet.policy.decide import GrantView

    return tuple(
        GrantView(
            name=grant.name,
            kind="command" if grant.ask.HasField("command") else "network",
            host=grant.ask.network.host,
            port=grant.ask.network.port,
            command=grant.ask.command.command,
            expires=grant.expire_time.ToNanoseconds() / 1e9 if grant.HasField("expire_time") else None,
        )
        for grant in grants
    )


def reach(policy: "Policy", grants: "tuple[GrantView, ...]", target: Target, binaries: tuple[str, ...]) -> Answer:
    """Decide on a connection, and on the request in it where the policy looks inside."""
    from signet.policy import decide

    attempt = decide.Attempt(target.host, target.port, binaries)
    decision = decide.connection(policy, grants, attempt, time.time())
    if decision.passes and _is_address(target.host):
        decision = decide.address(policy, decision, target.host, target.host)
    inspect = decision.inspect
    if decision.passes and inspect and target.path:
        decision = decide.request(policy, decision, target.method, target.path)
    about = {
        "host": target.host, "port": target.port, "method": target.method, "path": target.path,
        "binaries": list(binaries), "command": "", "inspect": inspect,
    }  # fmt: skip
    return _answer(decision, about, tuple(_notes(decision, target, binaries, inspect=inspect)))


def _notes(decision: "Decision", target: Target, binaries: tuple[str, ...], *, inspect: bool) -> Iterator[str]:
    """Say what the answer leaves open."""
    if not decision.passes:
        if not binaries and decision.rule == "default":
            yield "no program was said: --binary /usr/bin/curl asks for one"
        return
    if not _is_address(target.host):
        yield "the address that the name has when it is connected to is looked at too"
    if inspect and not target.path:
        yield "each request in it is decided on by method and path: give a URL, or --method and --path"
    if not inspect and target.path not in {"", "/"}:
        yield "the connection is not looked into: path and method are not checked"


def run(policy: "Policy", grants: "tuple[GrantView, ...]", command: str) -> Answer:
    """Decide on a command of the exec tool."""
    from signet.policy.commands import review

    about = {
        "host": "", "port": 0, "method": "", "path": "", "binaries": [], "command": command, "inspect": False
    }  # fmt: skip
    return _answer(review(policy, grants, command), about, ())


def _answer(decision: "Decision", about: dict[str, Any], notes: tuple[str, ...]) -> Answer:
    return Answer(decision.verdict, decision.rule, decision.reason, about, decision.hint, decision.ask, notes)


def _is_address(host: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(host)
    except ValueError:
        return False
    return True
