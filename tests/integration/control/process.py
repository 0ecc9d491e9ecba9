"""Control as a process of its own: started, told apart when ready, killed, and started again."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

START = (
    "import sys; from control.main import run; from signet.kit.home import Home; "
    "sys.exit(run(Home.find(sys.argv[1]), dict(flag.split('=', 1) for flag in sys.argv[2:])))"
)
"""Start control on a data folder, with `option=value` flags."""


@dataclass
class Process:
    """A process that was started, and what it said when it was ready or gave up."""

    process: asyncio.subprocess.Process
    said: str

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return "READY=1" in self.said

    async def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.kill()
        await self.process.wait()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; gives its exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def code(self) -> int:
        """Wait until it ended by itself, half a minute at most; gives its exit code."""
        try:
            async with asyncio.timeout(30):
                return await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise

    async def errors(self) -> str:
        """Give what it wrote to standard error, once it ended."""
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()


async def start(root: Path, *flags: str, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Process:
    """Start control and wait until it says that it is ready, or why it is not."""
    address = root.parent / f"notify-{os.urandom(4).hex()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as listener:
        listener.bind(str(address))
        listener.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            *prefix, sys.executable, "-c", START, str(root), *flags,
            env={**os.environ, "NOTIFY_SOCKET": str(address), **(env or {})}, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        hearing = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(listener, 4096))
        ending = asyncio.ensure_future(process.wait())
        async with asyncio.timeout(60):
            await asyncio.wait((hearing, ending), return_when=asyncio.FIRST_COMPLETED)
        said = hearing.result().decode() if hearing.done() else ""
        for task in (hearing, ending):
            task.cancel()
    return Process(process, said)
