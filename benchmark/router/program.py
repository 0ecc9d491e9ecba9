"""A program that belongs to a measurement: pinned to a core, gone with whoever started it, its words in a log."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 90.0
STOP_SECONDS = 10.0


class ProgramError(Exception):
    """Raised when a program does not come up; says what it said last."""


@dataclass(frozen=True)
class Program:
    """A running program."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The root of its process tree."""
        return self.process.pid

    def said(self) -> str:
        """Give what it wrote to its log."""
        return self.log.read_text(errors="replace")

    def wait_for_port(self, port: int) -> None:
        """Wait until it listens there, on loopback. Raises ProgramError."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise self.trouble()

    def trouble(self) -> ProgramError:
        """Give the error that says that it does not come up."""
        return ProgramError(f"{self.name} did not come up: {self.said()[-1500:].strip() or 'it said nothing'}")


def pinned(argv: Sequence[str], core: int | None) -> list[str]:
    """Give the command that runs another on one core, and ends it with its parent."""
    taskset = ["taskset", "--cpu-list", str(core)] if core is not None else []
    return ["setpriv", "--pdeathsig", "TERM", *taskset, *argv]


@contextmanager
def running(
    name: str, argv: Sequence[str], folder: Path, *, core: int | None, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Run a program in a folder until the context is left; its log is `NAME.log` there."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            pinned(argv, core), cwd=folder, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Program(name, process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Give a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
