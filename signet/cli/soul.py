"""`signet soul`: personas and their tool policies."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import SOUL
from signet.cli.words import ident

if TYPE_CHECKING:
    from signet.v1.souls_pb2 import Soul

_TEXT = """\
# {title}

You are {title}. Say here who the agent is, what it is good at, and how it works:
which questions it asks first, what it never does, how its answers look.
"""

_MANIFEST = """\
# Every key is checked: `signet soul check {slug}`. Both files are read anew for every message.
title: {title}
description: One line that says what this soul is for
category: general
version: "1"
toolsets:
  enforced: []                # always offered
  default_enabled: [{enabled}]   # offered unless the agent names its own
  optional: []                # offered when the agent names them
  forbidden: []               # never offered
"""


@click.group("soul", cls=Noun)
def soul() -> None:
    """Show and make personas. Your own are folders of two files; they win over the catalog's of the same name."""


@soul.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List souls; one whose files are bad is listed with what is wrong."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.souls.list(), _table)


@soul.command("show")
@click.argument("name", shell_complete=SOUL)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one soul whole."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.souls.get(name)
    emit(call, found, _page)


@soul.command("new")
@click.argument("name")
@click.pass_obj
def new(call: Call, *, name: str) -> None:
    """Make the folder of a soul of your own, ready to be edited."""
    from signet.catalog.toolsets import TOOLSETS
    from signet.kit.errors import AlreadyExists
    from signet.kit.home import Home, private
    from signet.kit.names import parse_slug

    slug = parse_slug("souls", f"souls/{name}")
    home = Home.find(call.data)
    folder = home.souls / slug
    if folder.exists():
        raise AlreadyExists("NAME_TAKEN", f"{folder} is there already", hint="edit it, or choose another name")
    private(home.root)
    private(folder)
    title = slug.replace("-", " ").title()
    enabled = ", ".join(toolset.name for toolset in TOOLSETS)
    (folder / "soul.md").write_text(_TEXT.format(title=title), encoding="utf-8")
    (folder / "manifest.yaml").write_text(_MANIFEST.format(slug=slug, title=title, enabled=enabled), encoding="utf-8")
    click.echo(folder)
    call.say(f"edit soul.md and manifest.yaml there, then: signet soul check {slug}")
    call.say(f"give it to an agent: signet agent create {slug} --soul {slug}")


@soul.command("check")
@click.argument("name", metavar="NAME|FOLDER", shell_complete=SOUL)
@click.pass_obj
def check(call: Call, *, name: str) -> None:
    """Check the two files of a soul, by its folder or by the name of one of yours. Needs no fleet."""
    from signet.catalog.soul import SoulInvalid, read
    from signet.cli import codes
    from signet.kit.errors import NotFound
    from signet.kit.home import Home

    own = Home.find(call.data).souls / name.removeprefix("souls/")
    folder = own if own.is_dir() and "/" not in name.removeprefix("souls/") else Path(name).absolute()
    if not folder.is_dir():
        raise NotFound("SOUL_NOT_FOUND", f"neither {own} nor {folder} is a folder", hint="signet soul list")
    problems: tuple[str, ...] = ()
    digest = ""
    try:
        digest = read(folder).digest
    except SoulInvalid as error:
        problems = error.problems
    _report(call, folder, digest, problems)
    if problems:
        sys.exit(codes.FAILED)


def _report(call: Call, folder: Path, digest: str, problems: tuple[str, ...]) -> None:
    from signet.cli.output import structured

    if call.output not in {"table", "name"}:
        structured(call, {"folder": str(folder), "digest": digest, "problems": list(problems)})
    elif problems:
        for problem in problems:
            click.echo(f"{click.style('✗', fg='red')} {problem}", color=call.color)
    else:
        click.echo(f"{click.style('✓', fg='green')} {folder} is a good soul", color=call.color)


def _table(souls: "list[Soul]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "TITLE", "FROM", "DESCRIPTION"),
        [
            (
                ident(found.name),
                found.title or "-",
                word(found, "origin").lower(),
                click.style(f"✗ {found.problems[0]}", fg="red") if found.problems else found.description,
            )
            for found in souls
        ],
    )


def _page(found: "Soul") -> str:
    from signet.cli.form import word
    from signet.cli.table import pairs

    sets = found.toolsets
    facts = pairs(
        [
            ("name", found.name),
            ("title", found.title),
            ("description", found.description),
            ("category", found.category),
            ("version", found.version),
            ("from", word(found, "origin").lower()),
            ("enforced", ", ".join(sets.enforced)),
            ("default", ", ".join(sets.default_enabled)),
            ("optional", ", ".join(sets.optional)),
            ("forbidden", ", ".join(sets.forbidden)),
            ("digest", found.digest),
            ("problems", click.style("\n".join(found.problems), fg="red") if found.problems else ""),
        ]
    )
    return f"{facts}\n\n{found.text.rstrip()}" if found.text else facts
