"""May this connection be made, to this address, for this request? Pure, total, deny by default; a deny rule wins."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from signet.policy import hosts, ips, paths
from signet.policy.decision import Attempt, Decision, GrantView, Match
from signet.policy.lend import lent
from signet.policy.model import METHODS, Endpoint, Policy, Rule

__all__ = ["Attempt", "Decision", "GrantView", "address", "connection", "request"]

_PORTS = range(1, 65536)
_METHOD = re.compile(r"[A-Za-z-]{1,20}")
_DELETED = " (deleted)"


def connection(policy: Policy, grants: Sequence[GrantView], attempt: Attempt, now: float) -> Decision:
    """Decide before anything is resolved. `now` is Unix seconds."""
    at = hosts.place(attempt.host)
    if at is None or attempt.port not in _PORTS:
        return Decision("deny", "default", f"{attempt.host[:100]!r}:{attempt.port} is no place on a network")
    matches = (*_endpoints(policy, at, attempt), *_granted(grants, at, attempt.port, now))
    shut = _shut(matches)
    if shut:
        return _denied(policy, shut, f"{shut} denies every request to {at.text}:{attempt.port}", matches)
    through = [match for match in matches if match.allows]
    if through:
        where = next((match.where for match in through if match.endpoint), None)
        inspect = _inspect(policy, matches, at, attempt.port)
        reason = f"{at.text}:{attempt.port} is let through by {through[0].where}"
        return Decision("allow", through[0].where, reason, inspect=inspect, endpoint=where, matches=matches)
    reason = f"nothing lets {at.text}:{attempt.port} through" + _for_programs(matches, attempt)
    decision = _denied(policy, "default", reason, matches)
    ask = policy.approvals.network == "ask" and decision.verdict == "deny" and not _closed_to_grants(at)
    inspect = decision.passes and _must_see(policy, matches, at, attempt.port)
    return replace(decision, ask=ask, inspect=inspect, hint=_opening(policy, matches, at, attempt))


def address(policy: Policy, decision: Decision, host: str, ip: str) -> Decision:  # noqa: ARG001 - asked like the others
    """Decide once the host is resolved: what is not public passes only where an endpoint lists it in `allowed_ips`.

    `audit` changes nothing here. The answer's matches are those that may go on to this address.
    """
    if not decision.passes:
        return decision
    at = hosts.place(ip)
    if at is None or at.ip is None:
        return Decision("deny", "default", f"{ip[:100]!r} is no address")
    what = ips.kind(at.ip)
    if what == "public":
        return decision
    listing = [match for match in decision.matches if match.endpoint and _lists(match.endpoint, at.ip)]
    first = next((match.where for match in listing if match.allows), None)
    if first is None:
        hint = (
            "" if what in ips.NEVER else f"add allowed_ips: [{at.text}] to {decision.endpoint or 'an endpoint for it'}"
        )
        return Decision("deny", "default", f"{host[:255]} is at {at.text}, a {what} address", hint=hint)
    kept = tuple(replace(match, allows=match.allows and match in listing) for match in decision.matches)
    return replace(decision, rule=first, endpoint=first, matches=kept)


def request(policy: Policy, decision: Decision, method: str, path: str) -> Decision:
    """Decide a request on a connection that may be made. `path` is its target as it was sent, with its query."""
    if not decision.passes:
        return decision
    verb = method.upper()
    if not _METHOD.fullmatch(method) or verb == "CONNECT" or not paths.sendable(path):
        return Decision("deny", "default", f"{method[:20]!r} {path[:100]!r} is no request that can be looked at")
    segments = paths.clean(path)
    for match in decision.matches:
        for place, rule in enumerate(match.endpoint.deny if match.endpoint and match.denies else ()):
            if _hits(rule, verb, segments):
                where = f"{match.where}.deny[{place}]"
                return _denied(policy, where, f"{where} denies {verb} {_short(path)}", decision.matches)
    for match in decision.matches:
        if match.allows and (where := _passed(match, verb, segments)):
            reason = f"{where} lets {verb} {_short(path)} through"
            endpoint = match.where if match.endpoint else None
            return replace(decision, verdict="allow", rule=where, reason=reason, endpoint=endpoint, ask=False, hint="")
    reason = f"no rule lets {verb} {_short(path)} through"
    if segments is None:
        reason += "; servers read such a path in different ways, so rules that name paths do not"
    return replace(_denied(policy, "default", reason, decision.matches), hint=_widening(decision, verb, path, segments))


def _endpoints(policy: Policy, at: hosts.Place, attempt: Attempt) -> Iterable[Match]:
    for block in policy.network.blocks:
        fitting = [_program(block.binaries, binary) for binary in attempt.binaries]
        allows = not block.binaries or (bool(fitting) and all(fitting))
        denies = not block.binaries or not fitting or any(fitting)
        for place, endpoint in enumerate(block.endpoints):
            if endpoint.port == attempt.port and hosts.matches(endpoint.host, at):
                yield Match(f"network.{block.name}.endpoints[{place}]", endpoint, allows, denies)


def _granted(grants: Sequence[GrantView], at: hosts.Place, port: int, now: float) -> Iterable[Match]:
    for grant in grants:
        if grant.kind == "network" and grant.port == port and grant.holds(now):
            granted = hosts.place(grant.host)
            if granted is not None and granted.text == at.text:
                yield Match(grant.name, None, allows=True, denies=False)


def _program(globs: tuple[str, ...], binary: str) -> bool:
    """Tell whether a program is one of these. One whose file is gone is nobody."""
    if not binary.startswith("/") or binary.endswith(_DELETED):
        return False
    segments = tuple(binary[1:].split("/"))
    return ".." not in segments and any(paths.matches(glob, segments) for glob in globs)


def _shut(matches: Iterable[Match]) -> str:
    """Give the deny rule that no request can pass, whatever it is; empty where there is none."""
    for match in matches:
        for place, rule in enumerate(match.endpoint.deny if match.endpoint and match.denies else ()):
            if rule.method == "*" and rule.path == paths.ANY:
                return f"{match.where}.deny[{place}]"
    return ""


def _inspect(policy: Policy, matches: Sequence[Match], at: hosts.Place, port: int) -> bool:
    """Tell whether requests have to be seen where something lets the connection through."""
    through = [match.endpoint for match in matches if match.allows]
    open_to_all = any(endpoint is None or endpoint.open for endpoint in through)
    wanted = any(endpoint is not None and endpoint.tls == "terminate" for endpoint in through)
    return wanted or not open_to_all or _must_see(policy, matches, at, port)


def _must_see(policy: Policy, matches: Sequence[Match], at: hosts.Place, port: int) -> bool:
    """Tell whether there is a deny rule to hold, or a secret to lend."""
    denying = any(match.denies and match.endpoint and match.endpoint.deny for match in matches)
    return denying or bool(lent(policy, at.text, port))


def _hits(rule: Rule, method: str, segments: tuple[str, ...] | None) -> bool:
    """Tell whether a deny rule covers a request. A path that can be read in two ways is covered by any, in any case."""
    if rule.method not in {"*", method}:
        return False
    if rule.path == paths.ANY or segments is None:
        return True
    return paths.matches(rule.path.casefold(), tuple(segment.casefold() for segment in segments))


def _passed(match: Match, method: str, segments: tuple[str, ...] | None) -> str:
    """Give the path of what lets a request through; empty where nothing of this match does."""
    endpoint = match.endpoint
    if endpoint is None or (not endpoint.access and not endpoint.rules):
        return match.where
    if endpoint.access:
        allowed = METHODS.get(endpoint.access)
        return f"{match.where}.access" if allowed is None or method in allowed else ""
    for place, rule in enumerate(endpoint.rules):
        fits = rule.path == paths.ANY or (segments is not None and paths.matches(rule.path, segments))
        if fits and rule.method in {"*", method}:
            return f"{match.where}.rules[{place}]"
    return ""


def _lists(endpoint: Endpoint, ip: hosts.Address) -> bool:
    return any(ips.opens(entry, ip) for entry in endpoint.allowed_ips)


def _denied(policy: Policy, rule: str, reason: str, matches: tuple[Match, ...]) -> Decision:
    return Decision("audit" if policy.enforcement == "audit" else "deny", rule, reason, matches=matches)


def _closed_to_grants(at: hosts.Place) -> bool:
    """Tell whether a yes could open nothing: an address that is not public passes by `allowed_ips` alone."""
    return at.ip is not None and ips.kind(at.ip) != "public"


def _for_programs(matches: Sequence[Match], attempt: Attempt) -> str:
    if not matches:
        return ""
    programs = ", ".join(attempt.binaries[:4]) or "a program that could not be told"
    return f" for {programs[:200]}"


def _opening(policy: Policy, matches: Sequence[Match], at: hosts.Place, attempt: Attempt) -> str:
    """Say which line of the policy would let a connection through; empty for an address that none can."""
    if at.ip is not None and ips.kind(at.ip) in ips.NEVER:
        return ""
    if matches:
        block = matches[0].where.rpartition(".endpoints[")[0]
        return f"add {attempt.binaries[0]} to {block}.binaries" if attempt.binaries else f"leave {block}.binaries out"
    host = f'"{at.text}"' if at.ip is not None else at.text
    near = next(
        (f"network.{block.name}" for block in policy.network.blocks
         if any(hosts.matches(endpoint.host, at) for endpoint in block.endpoints)),
        "",
    )  # fmt: skip
    listed = f", allowed_ips: [{host}]" if _closed_to_grants(at) else ""
    line = f"{{host: {host}, port: {attempt.port}{listed}}}"
    return f"add {line} to {near}.endpoints" if near else f"add under network: {_name(at)}: {{endpoints: [{line}]}}"


def _widening(decision: Decision, method: str, path: str, segments: tuple[str, ...] | None) -> str:
    """Say which line of the policy would let a request through; empty where none of its own endpoints could."""
    match = next((match for match in decision.matches if match.allows and match.endpoint), None)
    if match is None or match.endpoint is None:
        return ""
    if match.endpoint.access:
        return f"make it access: {'read-write' if method in METHODS['read-write'] else 'full'} in {match.where}"
    return (
        f"add {{method: {method}, path: {_short(path) if segments is not None else paths.ANY}}} to {match.where}.rules"
    )


def _name(at: hosts.Place) -> str:
    return re.sub(r"[^a-z0-9]+", "-", at.text).strip("-")[:63] or "place"


def _short(path: str) -> str:
    return path.partition("?")[0][:200]
