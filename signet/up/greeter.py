"""Greets whoever started the fleet: addresses, a one-time link, what to try, and how the models' loading goes."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from signet.kit.home import Home
from signet.up.screen import PROGRESS_SECONDS, Screen, greeting

Addresses = Callable[[], Mapping[str, str]]


class Greeter:
    """Shows what `signet.up.hello` finds out."""

    def __init__(self, home: Home, screen: Screen) -> None:
        self._home = home
        self._screen = screen

    async def greet(self, addresses: Addresses) -> None:
        """Greet, and return when the embedded models are loaded, or will not be."""
        hello = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "signet.up.hello", str(self._home.root), str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # without a link the fleet runs all the same
        )
        began = time.monotonic()
        doing, greeted = "", False
        try:
            while (said := await self._next(hello, doing, began)) is not None:
                if "code" in said:
                    greeted = True
                    self._screen.say(greeting(self._home, addresses(), said["code"]))
                else:
                    doing = self._models(said, time.monotonic() - began)
        finally:
            if hello.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(hello.pid, signal.SIGKILL)  # asyncio's own way may take the exit code from under `wait`
                await hello.wait()
        if not greeted:
            self._screen.say(greeting(self._home, addresses(), ""))

    async def _next(self, hello: asyncio.subprocess.Process, doing: str, began: float) -> dict[str, str] | None:
        """Give what it says next, and at every silence how long it has been; None at its end."""
        if hello.stdout is None:
            return None
        reading = asyncio.create_task(hello.stdout.readline())
        try:
            while not (await asyncio.wait([reading], timeout=PROGRESS_SECONDS))[0]:
                self._screen.say(f"  models   {doing or 'asking for them'} … {time.monotonic() - began:.0f} s")
        finally:
            reading.cancel()
        line = reading.result()
        said: dict[str, str] | None = json.loads(line) if line else None
        return said

    def _models(self, said: Mapping[str, str], seconds: float) -> str:
        """Show where the embedded models stand; give what they are doing."""
        state, detail = said["models"], said["detail"]
        if state == "ready":
            self._screen.say(f"  models   the embedded model is ready  {seconds:.1f} s")
        elif state == "unavailable":
            self._screen.say(f"  models   the embedded model cannot be had: {detail}; see `signet doctor`")
        return detail or state
