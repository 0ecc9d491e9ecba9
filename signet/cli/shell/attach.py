"""A command in a sandbox with the person's own streams: a terminal where there is one, else pipes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack

import click

from signet.cli.call import Call
from signet.cli.shell.escape import Escape
from signet.cli.shell.input import Input
from signet.cli.shell.terminal import RawTerminal, is_terminal, size
from signet.client.process import Process

_TOLD = ("TERM", "COLORTERM", "LANG", "LC_ALL", "NO_COLOR")
_LEAVING = (signal.SIGTERM, signal.SIGHUP)


class Left(Exception):
    """Raised when the person leaves; `code` is what the program ends with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def attach(call: Call, target: str, argv: Sequence[str], *, folder: str = "", seconds: int = 0) -> int:
    """Run it and give its exit code. The terminal is as it was before, whatever happens.

    With a terminal all keys go inside, Ctrl-C too, and `~.` on a line of its own leaves. Without one SIGINT is passed
    on to the command. SIGTERM and SIGHUP leave, which kills it.
    """
    terminal = is_terminal()
    told = {name: os.environ[name] for name in _TOLD if terminal and name in os.environ}
    async with call.asynchronous() as signet:
        process = signet.sandboxes.open(
            target, argv, env=told, folder=folder, terminal=size() if terminal else None, max_seconds=seconds
        )
        async with process:
            try:
                return await _relay(call, process, terminal=terminal)
            except Left as left:
                return left.code


async def _relay(call: Call, process: Process, *, terminal: bool) -> int:
    with ExitStack() as stack:
        raw = stack.enter_context(RawTerminal()) if terminal else None
        moves: asyncio.Queue[signal.Signals] = asyncio.Queue(64)
        stack.enter_context(_Signals(moves, terminal=terminal))
        outcome = asyncio.ensure_future(_output(process))
        helpers = [
            asyncio.ensure_future(_input(process, Escape() if terminal else None)),
            asyncio.ensure_future(_move(process, moves, raw)),
        ]
        try:
            waiting = {outcome, *helpers}
            while not outcome.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {outcome}:
                    task.result()
            code = outcome.result()
        finally:
            for task in (outcome, *helpers):
                task.cancel()
            await asyncio.gather(outcome, *helpers, return_exceptions=True)
    if process.exit and process.exit.detail:
        call.say(f"signet: {process.exit.detail}")
    return code


async def _output(process: Process) -> int:
    """Write what comes, as it comes; whoever reads slowly slows the command down."""
    async for piece in process.pieces():
        await asyncio.to_thread(_write, 2 if piece.error else 1, piece.data)
    return process.exit.code if process.exit else 1


async def _input(process: Process, escape: Escape | None) -> None:
    source = Input()
    while piece := await source.read():
        if escape:
            piece = escape.pass_on(piece)
        await process.write(piece)
        if escape and escape.left:
            raise Left(130)
    if escape is None:
        await process.end_input()


async def _move(process: Process, moves: "asyncio.Queue[signal.Signals]", raw: RawTerminal | None) -> None:
    """Do what signals ask for."""
    while True:
        number = await moves.get()
        if number in _LEAVING:
            raise Left(128 + number)
        if number == signal.SIGINT:
            await process.signal(number)
            continue
        if raw and number == signal.SIGCONT:
            raw.again()
        await process.resize(*size())


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class _Signals:
    """Puts signals into a queue while the block lasts."""

    def __init__(self, moves: "asyncio.Queue[signal.Signals]", *, terminal: bool) -> None:
        self._moves = moves
        more = (signal.SIGWINCH, signal.SIGCONT) if terminal else (signal.SIGINT,)
        self._numbers = (*_LEAVING, *more)
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        for number in self._numbers:
            self._loop.add_signal_handler(number, self._note, number)

    def __exit__(self, *_: object) -> None:
        for number in self._numbers:
            self._loop.remove_signal_handler(number)

    def _note(self, number: signal.Signals) -> None:
        if not self._moves.full():  # they are asked for again, or one of the many does
            self._moves.put_nowait(number)


async def captured(call: Call, target: str, argv: Sequence[str], *, folder: str = "", seconds: int = 0) -> int:
    """Run it with what is piped in, print one object with what it wrote, and give its exit code."""
    from signet.cli.output import structured

    stdin = b"" if sys.stdin.isatty() else _piped()
    async with call.asynchronous() as signet:
        done = await signet.sandboxes.run(target, argv, stdin=stdin, folder=folder, max_seconds=seconds)
    if call.output == "name":
        click.echo(done.sandbox)
        return done.code
    shape = {
        "sandbox": done.sandbox,
        "code": done.code,
        "detail": done.detail,
        "stdout": done.stdout.decode(errors="replace"),
        "stderr": done.stderr.decode(errors="replace"),
    }
    structured(call, shape)
    return done.code


async def _piped() -> AsyncIterator[bytes]:
    source = Input()
    while piece := await source.read():
        yield piece
