"""One command that a person runs in a sandbox: its streams relayed, its end told; it dies when the person leaves."""

import asyncio
import os
import signal

from signet.v1 import sandboxes_pb2
from workers.asked import Order, Refused, size
from workers.caller import Caller, Left
from workers.cell import Cell
from workers.quota import Guard
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.process import Process
from workers.sandbox.spec import Command, Entry
from workers.streams import Input, Output, pipe

END_SECONDS = 5.0
"""How long what was killed may take to be gone."""


class Visit:
    """One command of one caller in a cell. `sandbox` is its name for people; `guard` watches the disk meanwhile.

    When `ending` is set the worker ends: the command is killed, and its caller told.
    """

    def __init__(self, caller: Caller, cell: Cell, guard: Guard, sandbox: str, ending: asyncio.Event) -> None:
        self._caller = caller
        self._cell = cell
        self._guard = guard
        self._sandbox = sandbox
        self._ending = ending
        self._run = cell.run
        self._input: Input | None = None
        self._outputs: dict[str, Output] = {}

    async def serve(self, order: Order) -> int:
        """Run it to its end; gives the exit code. Raises Refused where it cannot start, Left where the caller left."""
        process = await self._start(order)
        # what the command does not read may hold up whoever hears: that the caller left is waited for by itself
        leaving = asyncio.create_task(self._caller.left())
        hearing = asyncio.create_task(self._hear(process))
        telling = asyncio.create_task(self._tell(process))
        stopping = asyncio.create_task(self._stop(process))
        tasks = (leaving, hearing, telling, stopping)
        try:
            await asyncio.wait(tasks[:-1], return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                return telling.result()
            if hearing.done():
                hearing.result()
            raise Left
        finally:
            for task in tasks:
                task.cancel()
            await self._end(process)
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close(process)

    async def _start(self, order: Order) -> Process:
        for last, what in enumerate(order.choices, 1 - len(order.choices)):
            try:
                return await (self._on_terminal(what, order) if order.terminal else self._with_pipes(what, order))
            except FileNotFoundError as error:
                if last == 0:
                    raise Refused("FILE_NOT_FOUND", f"there is no {error.filename} in the sandbox") from error
            except (PermissionError, NotADirectoryError) as error:
                raise Refused("POLICY_DENIED", f"{error.filename}: {error.strerror} in the sandbox") from error
            except OSError as error:
                raise Refused("SANDBOX_FAILED", f"{error.filename}: {error.strerror}") from error
            except ValueError as error:
                raise Refused("INVALID_FIELD", str(error)) from error
            except SandboxUnavailable as error:
                reason = "LIMIT_REACHED" if error.layer == "limits" else "SANDBOX_FAILED"
                raise Refused(reason, str(error)) from error
        raise Refused("INVALID_FIELD", "there is nothing to run")

    async def _on_terminal(self, what: Command | Entry, order: Order) -> Process:
        process = await self._cell.sandbox.start(
            what, env=self._env(order), cwd=self._folder(order), terminal=order.terminal, seconds=order.seconds
        )
        if process.terminal is None:
            raise Refused("SANDBOX_FAILED", "the sandbox gave no terminal")
        self._input = Input(os.dup(process.terminal))
        self._outputs["stdout"] = Output(os.dup(process.terminal))
        return process

    async def _with_pipes(self, what: Command | Entry, order: Order) -> Process:
        stdin, stdout, stderr = pipe(), pipe(), pipe()
        try:
            process = await self._cell.sandbox.start(
                what,
                fds={0: stdin[0], 1: stdout[1], 2: stderr[1]},
                env=self._env(order),
                cwd=self._folder(order),
                seconds=order.seconds,
            )
        except BaseException:
            for fd in (stdin[1], stdout[0], stderr[0]):
                os.close(fd)
            raise
        finally:
            for fd in (stdin[0], stdout[1], stderr[1]):
                os.close(fd)
        self._input = Input(stdin[1])
        self._outputs = {"stdout": Output(stdout[0]), "stderr": Output(stderr[0])}
        return process

    def _env(self, order: Order) -> dict[str, str]:
        return {**self._cell.env, **order.env}

    def _folder(self, order: Order) -> str | None:
        """Give the folder as the sandbox knows it; a relative one is below its home."""
        return os.path.join(self._cell.sandbox.spec.home, order.folder) if order.folder else None  # noqa: PTH118 - a path inside

    async def _hear(self, process: Process) -> None:
        """Do as the caller says until it leaves. Raises Left."""
        while True:
            request = await self._caller.receive()
            kind = request.WhichOneof("kind")
            if kind == "stdin" and self._input:
                await self._input.feed(request.stdin)
            elif kind == "stdin_end" and self._input and process.terminal is None:
                self._input.end()
            elif kind == "resize" and process.terminal is not None:
                try:
                    process.resize(*_numbers(request.resize))
                except Refused:  # a size that no terminal has changes nothing
                    continue
            elif kind == "signal" and request.signal in signal.valid_signals():
                await process.signal(request.signal)

    async def _stop(self, process: Process) -> None:
        await self._ending.wait()
        await process.signal(signal.SIGKILL)

    async def _tell(self, process: Process) -> int:
        """Send what it writes, then how it ended."""
        await self._caller.say(started=self._sandbox)
        pumps = [asyncio.create_task(self._pump(name, output)) for name, output in self._outputs.items()]
        try:
            code = await process.wait()
            for output in self._outputs.values():
                output.finish()
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
        shown = 128 - code if code < 0 else code
        await self._caller.say(exited=sandboxes_pb2.ExecExit(code=shown, detail=self._detail(process)))
        return shown

    async def _pump(self, name: str, output: Output) -> None:
        while data := await output.read():
            await self._caller.say(**{name: data})

    def _detail(self, process: Process) -> str:
        """Say why it ended, where that was not by itself."""
        if self._guard.problem:
            return self._guard.problem
        if process.late:
            return "its time was over (max_seconds)"
        if process.code != -signal.SIGKILL:
            return ""
        if self._ending.is_set():
            return "the worker is ending or being restarted"
        if self._cell.stopping:
            return "the sandbox was stopped"
        if ended := self._cell.sandbox.ended:
            return f"the sandbox is gone: {ended}"
        if self._run and self._cell.run != self._run:
            return "the run in the sandbox ended, and what people run in it ends with it"
        return ""

    async def _end(self, process: Process) -> None:
        """Kill what is left of it."""
        if process.code is not None:
            return
        await process.signal(signal.SIGKILL)
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:  # the kernel holds it; it dies with its sandbox
            return

    def _close(self, process: Process) -> None:
        if self._input:
            self._input.close()
        for output in self._outputs.values():
            output.close()
        process.close()


def _numbers(asked: sandboxes_pb2.TerminalSize) -> tuple[int, int]:
    terminal = size(asked)
    return terminal.rows, terminal.columns
