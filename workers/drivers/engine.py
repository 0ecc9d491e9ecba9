"""Opening a sandbox by a program: its argv, the order it is given, the tunnel to it, and its end."""

import asyncio
import os
import platform
import shutil
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from workers.drivers.folder import make as make_folder
from workers.drivers.guest import Order
from workers.drivers.tunnel import Pipes, Tunnel
from workers.sandbox import wire
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import INSIDE_UID, Spec

SOURCES: Final = Path(__file__).parents[2]
INSIDE_SOURCES: Final = "/run/signet"
BOOT: Final = "import sys; sys.path.insert(0, sys.argv[1]); from workers.drivers.guest import main; main()"
_OPEN_SECONDS: Final = 30.0
_STDERR_BYTES: Final = 4096
_BACKLOG: Final = 128
_LAST_WORDS_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `remove` clears away what the engine keeps of it, after its end."""

    argv: tuple[str, ...]
    engine: str
    own_kernel: bool
    remove: Callable[[], Awaitable[None]]


async def open_sandbox(spec: Spec, program: Program, preload: Sequence[str]) -> Sandbox:
    """Run the program and wait until the sandbox in it has reported. Raises SandboxUnavailable."""
    inside = replace(spec, host_uid=None)  # mapped by the engine
    order = Order(
        spec=inside,
        uid=spec.host_uid or INSIDE_UID,
        preload=tuple(preload),
        engine=program.engine,
        own_kernel=program.own_kernel,
        host_kernel=f"{platform.release()} {platform.version()}",
    )
    folder = make_folder()  # 0700: whoever reaches a listener speaks as the sandbox
    reading, outward = os.pipe2(os.O_CLOEXEC)
    inward, writing = os.pipe2(os.O_CLOEXEC)
    os.write(outward, order.to_line())
    try:
        running = await asyncio.create_subprocess_exec(
            *program.argv, stdin=reading, stdout=writing, stderr=asyncio.subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        os.close(inward)
        os.close(outward)
        shutil.rmtree(folder, ignore_errors=True)
        raise SandboxUnavailable(f"{program.argv[0]}: {error.strerror}.", layer=program.engine) from error
    finally:
        os.close(reading)
        os.close(writing)
    guest = _Guest(program, running, folder)
    sandbox = guest.connect(inside, Pipes(inward, outward))
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            await sandbox.opened()
    except TimeoutError as late:
        await sandbox.aclose()
        raise SandboxUnavailable(
            f"{program.engine} was not ready in {_OPEN_SECONDS:.0f} s.", layer=program.engine
        ) from late
    except SandboxUnavailable as error:
        await sandbox.aclose()
        raise SandboxUnavailable(guest.explained(error), layer=error.layer, hint=error.hint) from error
    except BaseException:
        await sandbox.aclose()
        raise
    sandbox.spec = spec
    return sandbox


class _Guest:
    """A running program and the tunnel to it, until both are gone."""

    def __init__(self, program: Program, running: asyncio.subprocess.Process, folder: Path) -> None:
        self._program = program
        self._running = running
        self._folder = folder
        self._tail = bytearray()
        self._listeners = 0
        self._tunnel: Tunnel | None = None
        self._death: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._watch = asyncio.create_task(self._until_gone())

    def connect(self, spec: Spec, pipes: Pipes) -> Sandbox:
        ours, theirs = wire.pair()
        sandbox = Sandbox(spec, ours, self._running.pid, self._death, self._kill)
        self._tunnel = Tunnel(theirs, pipes, first=1, on_end=self._tunnel_ended, listen=self._listen)
        return sandbox

    def explained(self, error: SandboxUnavailable) -> str:
        """Add what the program said before it died."""
        said = self._tail.decode(errors="replace").strip().replace("\n", "; ")
        return f"{error.reason} {self._program.engine} said: {said[-600:]}" if said else error.reason

    def _listen(self) -> tuple[socket.socket, str]:
        self._listeners += 1
        path = str(self._folder / str(self._listeners))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(_BACKLOG)
        return listener, path

    def _tunnel_ended(self) -> None:
        """Let the program say why before it is killed."""
        asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, self._kill)

    def _kill(self) -> None:
        """Close the tunnel, at whose end the guest ends itself; what does not is killed."""
        if self._tunnel:
            self._tunnel.close()
        if self._running.returncode is None:
            with suppress(ProcessLookupError):
                self._running.kill()

    async def _until_gone(self) -> None:
        errors = self._running.stderr
        while errors and (piece := await errors.read(_STDERR_BYTES)):
            self._tail += piece
            del self._tail[:-_STDERR_BYTES]
        code = await self._running.wait()
        if self._tunnel:
            self._tunnel.close()
        await self._program.remove()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._death.set_result(code)
