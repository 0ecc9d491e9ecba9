"""May this command line be run? Deny wins, then ask, then allow, then the policy's default.

It is a seat belt and not the wall: a shell can spell a command in endless ways. The wall is the sandbox around it.
"""

from collections.abc import Iterator, Sequence

from signet.policy import paths, shell
from signet.policy.decision import Decision, GrantView
from signet.policy.model import Policy

__all__ = ["review"]

_MAX_DEPTH = 4
_MAX_TEXTS = 5000
_NESTS = frozenset(" \t\n;&|()`$<>")


def review(policy: Policy, grants: Sequence[GrantView], command: str, now: float | None = None) -> Decision:
    """Decide about the command line of the tool `exec`. `now` is Unix seconds; without it no grant is over.

    `deny` and `ask` match any part of it: each command of a chain, what is in substitutions, quotes and
    here-documents, whatever stands before it. `allow` and a grant match the whole of it, and `allow` only where it is
    one plain command: no chain, no substitution, no redirection but to /dev/null. A verdict of deny with `ask` set
    means that a person may let it through.
    """
    line = shell.split(command[: shell.MAX_LETTERS])
    if "\0" in command or len(command) > shell.MAX_LETTERS:
        return Decision("deny", "default", f"the command has a NUL or more than {shell.MAX_LETTERS} characters")
    rules, dark = policy.commands, _dark(line)
    texts = _all_texts(command, line) if rules.deny or rules.ask else ()
    if place := _first(rules.deny, texts):
        return _denied(policy, f"commands.deny[{place - 1}]", f"{rules.deny[place - 1]!r} is denied")
    if rules.deny and dark:
        return _denied(policy, "commands.deny", f"which program is meant cannot be told before it runs: {dark}")
    for grant in grants:
        if grant.kind == "command" and grant.command == command and (now is None or grant.holds(now)):
            return Decision("allow", grant.name, "a grant lets this very command through")
    if place := _first(rules.ask, texts):
        return _asked(policy, f"commands.ask[{place - 1}]", f"{rules.ask[place - 1]!r} is asked for")
    if rules.ask and dark:
        return _asked(policy, "commands.ask", f"which program is meant cannot be told before it runs: {dark}")
    return _allowed(policy, command, line) or _default(policy, plain=line.plain)


def _allowed(policy: Policy, command: str, line: shell.Line) -> Decision | None:
    for place, glob in enumerate(policy.commands.allow):
        if line.plain and paths.wild(glob, command.strip()):
            return Decision("allow", f"commands.allow[{place}]", f"{glob!r} is allowed")
    return None


def _default(policy: Policy, *, plain: bool) -> Decision:
    default = policy.commands.default
    if default == "allow":
        return Decision("allow", "commands.default", "commands are allowed unless a rule says otherwise")
    why = "no rule allows it"
    if not plain and policy.commands.allow:
        why += "; allow matches single commands, without ; & | > < ( ) ` and substitutions"
    if default == "ask":
        return _asked(policy, "commands.default", why)
    return _denied(policy, "commands.default", why)


def _all_texts(command: str, line: shell.Line) -> tuple[str, ...] | None:
    """Give every text that a deny rule has to see, each with a space before it; None for more than can be looked at."""
    found: dict[str, None] = {}
    for text in _texts(command, line, 0):
        found[" " + " ".join(text.split())] = None
        if len(found) > _MAX_TEXTS:
            return None
    return tuple(found)


def _texts(command: str, line: shell.Line, depth: int) -> Iterator[str]:
    """Give a line, each of its parts without quotes, and the same of every text in it that may be a line again."""
    yield command
    nested = list(line.fed)
    for part in line.parts:
        yield " ".join(word.text for word in part)
        nested += [word.text for word in part if word.text != command and _NESTS & set(word.text)]
    if depth < _MAX_DEPTH:
        for text in nested:
            yield from _texts(text, shell.split(text), depth + 1)


def _first(globs: tuple[str, ...], texts: tuple[str, ...] | None) -> int:
    """Give the place, from 1, of the first glob that covers some words on to the end of a text; 0 where none does.

    The first word may stand there with its folder. What is too much to look at is covered by the first glob.
    """
    if texts is None:
        return 1 if globs else 0
    whole = "\n".join(texts)
    for place, written in enumerate(globs, 1):
        glob = " ".join(written.split())
        rarest = max(glob.split("*"), key=len)
        if rarest in whole and any(paths.wild(f"* {glob}", text) or paths.wild(f"*/{glob}", text) for text in texts):
            return place
    return 0


def _dark(line: shell.Line) -> str:
    """Give a program's name that only the shell will know; empty where all can be read."""
    return next((repr(word.text[:60]) for word in line.heads() if word.moving), "")


def _denied(policy: Policy, rule: str, reason: str) -> Decision:
    return Decision("audit" if policy.enforcement == "audit" else "deny", rule, reason)


def _asked(policy: Policy, rule: str, reason: str) -> Decision:
    audited = policy.enforcement == "audit"
    return Decision("audit" if audited else "deny", rule, reason, ask=not audited)
