"""`signet policy`: what agents may reach, run and use."""

import sys
import time
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, POLICY

if TYPE_CHECKING:
    from signet.cli.policy.document import Document
    from signet.client import Signet
    from signet.policy.model import Policy
    from signet.v1.policies_pb2 import ApplyPolicyResponse, PolicyVersion

_SETTLE_SECONDS = 5.0
_LOOK_SECONDS = 0.1


@click.group("policy", cls=Noun)
def policy() -> None:
    """Policies: documents that say what agents may reach, run and use. How to write one: docs/policy.md."""


@policy.command("validate")
@click.argument("path", metavar="FILE")
@click.pass_obj
def validate(call: Call, *, path: str) -> None:
    """Check a document, without a fleet.

    `-` is standard input. Exits with 1 where it is bad.
    """
    from signet.cli import codes
    from signet.cli.output import structured
    from signet.cli.policy.document import Document, shape

    document = Document.read(path)
    problems = document.problems()
    if call.output not in {"table", "name"}:
        structured(call, shape(document, problems))
    elif problems:
        click.echo("\n".join(map(document.shown, problems)), color=call.color)
    else:
        click.echo(f"{document.name} is good", color=call.color)
    if problems:
        sys.exit(codes.FAILED)


@policy.command("apply", epilog="Example: signet policy apply reader reader.yaml --dry-run")
@click.argument("name", shell_complete=POLICY)
@click.argument("path", metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Only check it, and tell what it would change.")
@click.option("--expect", type=click.IntRange(0), default=0, metavar="VERSION", help="Refuse if another is newest.")
@click.pass_obj
def apply(call: Call, *, name: str, path: str, dry_run: bool, expect: int) -> None:
    """Put a document in force as a policy's newest version.

    Agents that run have it within a second. Connections that are no longer allowed are closed. Of a bad document
    nothing comes into force.
    """
    from signet.cli.output import emit
    from signet.cli.policy.document import Document
    from signet.kit.errors import InvalidArgument

    document = Document.read(path)
    with call.signet() as signet:
        try:
            answer = signet.policies.apply(name, document.text, dry_run=dry_run, expected_version=expect)
        except InvalidArgument as error:
            if error.reason == "POLICY_INVALID":
                _tell_problems(call, document)
            raise
        if not dry_run:
            answer.version.CopyFrom(_settled(signet, answer.version))
    emit(call, answer, lambda answer: _applied(answer, dry_run=dry_run), name=answer.version.policy)


@policy.command("undo")
@click.argument("name", shell_complete=POLICY)
@click.pass_obj
def undo(call: Call, *, name: str) -> None:
    """Go back to the good version before the one in force.

    It is applied as a new version; doing it twice comes back.
    """
    from signet.cli.output import emit

    with call.signet() as signet:
        answer = signet.policies.undo(name)
        answer.version.CopyFrom(_settled(signet, answer.version))
    emit(call, answer, lambda answer: _applied(answer, dry_run=False), name=answer.version.policy)


@policy.command("show", epilog="Example: signet policy show default > mine.yaml")
@click.argument("name", required=False, shell_complete=POLICY)
@click.option("--version", "number", type=click.IntRange(1), metavar="N", help="This version; else the one in force.")
@click.option("--effective", metavar="AGENT", shell_complete=AGENT, help="What is in force for an agent, with grants.")
@click.pass_obj
def show(call: Call, *, name: str | None, number: int | None, effective: str | None) -> None:
    """Print a policy's document.

    What else there is to say of it goes to standard error.
    """
    from signet.cli.output import emit
    from signet.cli.policy import layout

    if (name is None) == (effective is None):
        raise click.UsageError("name a policy, or an agent with --effective")
    with call.signet() as signet:
        if effective is not None:
            emit(call, signet.policies.effective(effective), layout.effective)
            return
        found = signet.policies.version(str(name), number) if number else signet.policies.get(str(name)).version
    if call.output == "table":
        call.say(layout.standing(found))
    emit(call, found, lambda found: found.document.rstrip("\n"), name=found.policy)


@policy.command("diff", epilog="Examples: signet policy diff reader reader.yaml · signet policy diff reader 1 3")
@click.argument("name", shell_complete=POLICY)
@click.argument("sides", nargs=-1, metavar="FILE | V1 [V2]")
@click.pass_obj
def diff(call: Call, *, name: str, sides: tuple[str, ...]) -> None:
    """Show what a file or another version would change.

    Of two versions, what the second changed.
    """
    from signet.cli.output import structured
    from signet.cli.policy import layout
    from signet.policy.diff import changes

    if not 1 <= len(sides) <= 2:  # noqa: PLR2004 - one side or two
        raise click.UsageError("say with what: a file, a version, or two versions")
    with call.signet() as signet:
        old = _side(signet, name, sides[0]) if len(sides) > 1 else _in_force(signet, name)
        new = _side(signet, name, sides[-1])
    found = changes(old, new)
    if call.output in {"table", "name"}:
        click.echo(layout.difference(found), color=call.color)
    else:
        structured(call, layout.difference_shape(found))


@policy.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List policies."""
    from signet.cli.output import emit_all
    from signet.cli.policy import layout

    with call.signet() as signet:
        emit_all(call, signet.policies.list(), layout.policies)


@policy.command("versions")
@click.argument("name", shell_complete=POLICY)
@click.pass_obj
def versions(call: Call, *, name: str) -> None:
    """List a policy's versions, newest first.

    Who applied them, and how far each is in force.
    """
    from signet.cli.output import emit_all
    from signet.cli.policy import layout

    with call.signet() as signet:
        emit_all(call, signet.policies.versions(name), layout.versions)


@policy.command(
    "test", epilog="Example: signet policy test assistant https://api.github.com/user --binary /usr/bin/git"
)
@click.argument("words", nargs=-1, metavar="[AGENT] [URL | HOST:PORT]", shell_complete=AGENT)
@click.option("-f", "--file", "path", metavar="FILE", help="Ask this document instead of an agent's policy.")
@click.option("--binary", "binaries", multiple=True, metavar="PATH", help="Which program connects; repeatable.")
@click.option("--method", default="", metavar="METHOD", help="Of the request; GET unless said.")
@click.option("--path", "request_path", default="", metavar="PATH", help="Of the request, where it is no URL.")
@click.option("--command", "line", default="", metavar="TEXT", help="Ask about a command of the exec tool.")
@click.pass_obj
def test(
    call: Call,
    *,
    words: tuple[str, ...],
    path: str | None,
    binaries: tuple[str, ...],
    method: str,
    request_path: str,
    line: str,
) -> None:
    """Say whether an agent may reach or run something.

    And by which rule. Nothing is run, resolved or connected to. Without an agent or a file it is the agent
    `assistant`. Exits with 0 for a yes and with 7 for a no.
    """
    from signet.cli import codes
    from signet.cli.output import structured
    from signet.cli.policy import trial

    agent, text = _asked(words, path, line)
    if path:
        document, grants = _good(call, path), trial.views([])
    else:
        from signet.policy.canonical import load

        with call.signet() as signet:
            found = signet.policies.effective(agent)
        document, grants = load(found.document), trial.views(list(found.grants))
    if line:
        answer = trial.run(document, grants, line)
    else:
        answer = trial.reach(document, grants, trial.Target.parse(text, method, request_path), binaries)
    if call.output == "table":
        click.echo(answer.shown(), color=call.color)
    elif call.output == "name":
        click.echo(answer.verdict)
    else:
        structured(call, answer.shape)
    if answer.verdict == "deny":
        sys.exit(codes.REFUSED)


@policy.command("schema")
@click.pass_obj
def schema(call: Call) -> None:
    """Print the JSON Schema of documents, for editors."""
    from dataclasses import replace

    from signet.cli.output import structured
    from signet.policy.schema import schema as whole

    structured(replace(call, output="json") if call.output in {"table", "name"} else call, whole())


@policy.command("presets")
@click.argument("name", required=False)
@click.pass_obj
def presets(call: Call, *, name: str | None) -> None:
    """List presets; with a name, print that one.

    `presets:` of a document names them.
    """
    from signet.cli.near import near
    from signet.cli.output import structured
    from signet.cli.policy.preset import described
    from signet.kit.errors import NotFound
    from signet.policy.presets import names, text

    known = list(names())
    if name is None:
        if call.output == "table":
            click.echo(described(known), color=call.color)
        elif call.output == "name":
            click.echo("\n".join(known))
        else:
            structured(call, [{"name": one, "document": text(one)} for one in known])
        return
    if name not in known:
        raise NotFound(
            "POLICY_NOT_FOUND", f"there is no preset `{name}`.{near(name, known)}", hint="signet policy presets"
        )
    if call.output in {"table", "name"}:
        click.echo(text(name).rstrip("\n"))
    else:
        structured(call, {"name": name, "document": text(name)})


@policy.command("delete")
@click.argument("name", shell_complete=POLICY)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(call: Call, *, name: str, yes: bool) -> None:
    """Delete a policy that no agent names."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.policies.get(name).policy
        confirm(f"delete {found.name} with its {found.newest_version} versions", yes=yes)
        signet.policies.delete(found.name)
    emit(call, found, lambda found: f"{found.name} is deleted")


def _settled(signet: "Signet", version: "PolicyVersion") -> "PolicyVersion":
    """Give the version when every sandbox has it or one could not load it; as it is after a few seconds."""
    from signet.v1.policies_pb2 import POLICY_STATE_PENDING

    until = time.monotonic() + _SETTLE_SECONDS
    while version.state == POLICY_STATE_PENDING and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        version = signet.policies.version(version.policy, version.version)
    return version


def _applied(answer: "ApplyPolicyResponse", *, dry_run: bool) -> str:
    from signet.cli.policy import layout

    changed = layout.changes(list(answer.changes))
    if not changed and (dry_run or answer.version.version > 1):
        changed = "  nothing changes"
    head = f"{answer.version.policy} would change:" if dry_run else layout.standing(answer.version)
    return f"{head}\n{changed}".rstrip()


def _tell_problems(call: Call, document: "Document") -> None:
    """Show a person where a document is bad, line by line, in place of the service's own list. Raises UsageError."""
    problems = document.problems()
    if call.output != "table" or not problems:
        return
    for problem in problems:
        click.echo(document.shown(problem), err=True, color=call.color)
    count = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}"
    raise click.UsageError(f"{document.name} has {count}")


def _good(call: Call, path: str) -> "Policy":
    """Read a document that is to be asked. Raises UsageError where it is bad."""
    from signet.cli.policy.document import Document

    document = Document.read(path)
    _tell_problems(call, document)
    if problems := document.problems():
        raise click.UsageError(f"{document.name}:{problems[0].line}: {problems[0].message}")
    return document.parsed()


def _asked(words: tuple[str, ...], path: str | None, line: str) -> tuple[str, str]:
    """Tell the agent and the target apart. Raises UsageError."""
    most = int(not line) + int(path is None)
    if len(words) > most or (not line and not words):
        raise click.UsageError("say what is to be reached: [AGENT] URL or HOST:PORT, or --command TEXT")
    if line:
        return (words[0] if words else "assistant"), ""
    return (words[0] if len(words) > 1 else "assistant"), words[-1]


def _side(signet: "Signet", name: str, given: str) -> "Policy":
    """Give the policy of a version or a file."""
    from signet.cli.policy.document import Document

    number = given.removeprefix("v")
    if number.isdecimal():
        return Document(f"{name} version {number}", signet.policies.version(name, int(number)).document).parsed()
    document = Document.read(given)
    problems = document.problems()
    if problems:
        raise click.UsageError(
            f"{document.name}:{problems[0].line}: {problems[0].message}; signet policy validate {given}"
        )
    return document.parsed()


def _in_force(signet: "Signet", name: str) -> "Policy":
    from signet.cli.policy.document import Document

    return Document(name, signet.policies.get(name).version.document).parsed()
