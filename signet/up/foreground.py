"""`signet up` in the foreground: the supervisor, what it shows, the chat at a terminal, and how signals end it."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from signet.kit.home import Home
from signet.kit.lifecycle import die_with_parent, notify
from signet.up.greeter import Greeter
from signet.up.plan import Choices
from signet.up.screen import Screen, command
from signet.up.supervisor import Supervisor


@dataclass(frozen=True)
class Manner:
    """How to go on when the fleet is ready: greet a person, and talk."""

    greet: bool = True
    chat: bool = False


class Foreground:
    """One `signet up`, until a signal ends it."""

    def __init__(self, home: Home, choices: Choices, addresses: Mapping[str, str], screen: Screen) -> None:
        self._home = home
        self._screen = screen
        self._supervisor = Supervisor(home, choices, addresses, screen.tell)
        self._greeter = Greeter(home, screen)
        self._chatting = False
        self._stopping = False

    async def run(self, manner: Manner) -> int:
        """Keep the fleet until SIGTERM, SIGINT or SIGHUP; a second one ends it at once. Gives the exit code.

        Ends with its parent where SIGNET_PARENT holds that one's pid.
        """
        if parent := os.environ.get("SIGNET_PARENT"):
            die_with_parent(int(parent))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number)
        talking = asyncio.create_task(self._talk(manner))
        try:
            await self._supervisor.run()
        finally:
            talking.cancel()
            await asyncio.wait([talking])
        if not talking.cancelled():
            talking.result()
        self._screen.free()
        self._screen.say("Stopped.")
        return 0

    def _signalled(self, number: int) -> None:
        if number == signal.SIGINT and self._chatting:
            return  # the chat heard it, too, and it is the chat's
        if not self._stopping:
            self._stopping = True
            notify("STOPPING=1")
            self._screen.say("Stopping; once more stops at once.")
        self._supervisor.stop()

    async def _talk(self, manner: Manner) -> None:
        """Show the start, then whatever is due when it is over."""
        progress = asyncio.create_task(self._screen.progress())
        try:
            ready = await self._supervisor.settled()
        finally:
            progress.cancel()
        if ready:
            notify("READY=1")
        else:
            notify("ERRNO=1", "not every program stays up: see `signet status`")
        if manner.greet:
            await self._greeter.greet(self._supervisor.addresses)
        if manner.chat and ready:
            await self._chat()

    async def _chat(self) -> None:
        """Talk until the person leaves; the fleet goes on."""
        self._chatting = True
        self._screen.hold()
        chat = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "signet.cli", "chat", "assistant", "--data", str(self._home.root)
        )
        try:
            await chat.wait()
        finally:
            if chat.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(chat.pid, signal.SIGTERM)
                await chat.wait()
            self._chatting = False
            self._screen.free()
        self._screen.say(f"Signet goes on; Ctrl-C stops it. To talk again: {command(self._home, 'chat assistant')}")
