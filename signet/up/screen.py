"""What `signet up` shows: a line for each program with the time it took, progress, trouble, and what to try."""

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from signet.kit.home import Home
from signet.up.keeper import Standing

PROGRESS_SECONDS = 2.0
_LOG_LINES = 6

Say = Callable[[str], None]


class Screen:
    """Hears the standings as they change and says what a person wants to know of them.

    While it is held, as during a chat, lines are kept, at most 100 of them, and said at its end.
    """

    def __init__(self, home: Home, say: Say) -> None:
        self._home = home
        self._say = say
        self._seen: dict[str, Standing] = {}
        self._held: list[str] | None = None
        self._looping: set[str] = set()

    def say(self, text: str) -> None:
        """Say one thing, now or when the screen is free again."""
        if self._held is None:
            self._say(text)
        else:
            self._held = [*self._held[-99:], text]

    def hold(self) -> None:
        """Keep what is to be said until `free`."""
        self._held = self._held or []

    def free(self) -> None:
        """Say what was kept."""
        kept, self._held = self._held or [], None
        for text in kept:
            self._say(text)

    def tell(self, standing: Standing) -> None:
        """Hear a change."""
        before = self._seen.get(standing.name, Standing(standing.name))
        self._seen[standing.name] = standing
        if standing.state == before.state:
            if standing.state == "ready" and standing.detail != before.detail:
                self.say(f"  {standing.name:<8} {standing.detail}")
        elif standing.state == "ready":
            self._looping.discard(standing.name)
            again = "again, " if standing.restarts else ""
            self.say(
                f"  {standing.name:<8} {click.style('ready', fg='green')}  {again}{standing.took_seconds:.1f} s  "
                f"{standing.detail}".rstrip()
            )
        elif standing.state == "restarting":
            self.say(f"  {standing.name:<8} {click.style(standing.detail, fg='yellow')}; starting it again")
        elif standing.state == "looping" and standing.name not in self._looping:
            self._looping.add(standing.name)
            self.say("\n".join(self._loop(standing)))

    async def progress(self) -> None:
        """Say what is still starting, every two seconds, until cancelled."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            starting = [standing for standing in self._seen.values() if standing.state == "starting"]
            if starting:
                names = ", ".join(f"{one.name} ({one.detail})" if one.detail else one.name for one in starting)
                self.say(f"  … {time.monotonic() - began:.0f} s: starting {names}")

    def _loop(self, standing: Standing) -> Iterable[str]:
        yield f"  {standing.name:<8} {click.style('does not stay up', fg='red')}: {standing.detail}"
        yield from (f"      {line[:200]}" for line in standing.last_lines[-_LOG_LINES:])
        yield f"      whole log: {self._home.logs / standing.name}.log; tried again every 30 s, the others go on"


def command(home: Home, words: str) -> str:
    """Give what a person types to call this very `signet` on this data folder."""
    here = Path(sys.executable).with_name("signet")
    found = shutil.which("signet")
    if found and Path(found).resolve() == here.resolve():
        called = "signet"
    else:
        called = str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)
    return f"{called} {words}" + ("" if home == Home.find() else f" --data {home.root}")


def greeting(home: Home, addresses: Mapping[str, str], code: str) -> str:
    """Say where the fleet is and three things to try; `code` signs a browser in."""
    page = addresses.get("web", "")
    link = f"{page.rstrip('/')}/sign-in?code={code}" if page and code else ""
    rows = [
        (command(home, 'run assistant "List the files in your workspace"'), "one run, sealed"),
        (command(home, "chat assistant"), "a conversation"),
        (command(home, "runs list"), "what was run, and its records"),
    ]
    width = max(len(row[0]) for row in rows)
    lines = [
        "",
        f"  Pages:   {link or page or 'off'}" + ("   (signs you in, once)" if link else ""),
        f"  Control: {addresses.get('control', '')}",
        "",
        "  Try:",
        *(f"    {click.style(typed.ljust(width), bold=True)}  {why}" for typed, why in rows),
        "",
    ]
    return "\n".join(lines)
