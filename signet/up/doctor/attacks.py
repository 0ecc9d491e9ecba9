"""The attacks on a sandbox: the suite that ships with the worker is made on this machine's own."""

import asyncio
import sys
from collections.abc import Sequence

import click

from workers.attacks.areas import everything
from workers.attacks.results import Result, Results, table
from workers.attacks.runner import run
from workers.sandbox.errors import SandboxUnavailable

__all__ = ["attack", "table"]


def attack(tiers: Sequence[str], areas: Sequence[str], *, lively: bool) -> Results:
    """Make the attacks of these areas (none: of all) on these tiers; lively shows on one line which it is at.

    Raises click.ClickException where there is no such area, or where no sandbox can be opened at all.
    """
    known = list(dict.fromkeys(one.area for one in everything()))
    for area in areas:
        if area not in known:
            raise click.ClickException(f"There is no area {area!r} of attacks. There are {', '.join(known)}.")
    chosen = [one for one in everything() if not areas or one.area in areas]
    try:
        return asyncio.run(run(chosen, tiers, _line if lively else _silent))
    except SandboxUnavailable as error:
        raise click.ClickException(str(error)) from error
    finally:
        if lively:
            sys.stderr.write("\r\x1b[K")


def _line(result: Result, number: int, of: int) -> None:
    sys.stderr.write(f"\r\x1b[K  {number}/{of}  {result.tier}  {result.attack.title[:80]}")
    sys.stderr.flush()


def _silent(*_: object) -> None:
    return
