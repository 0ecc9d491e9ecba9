"""A fleet of its own for a benchmark: the real programs, in a folder that goes away, on no port of the user's."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 120
STOP_SECONDS = 30


class FleetError(Exception):
    """Raised when the fleet does not come up; says what its programs said."""


@dataclass(frozen=True)
class Fleet:
    """A running fleet: where its data lies, the supervisor's pid, and how long it took from nothing to ready."""

    data: Path
    pid: int
    ready_seconds: float
    started: float


@contextmanager
def fleet(*, embedded: bool, environment: Mapping[str, str] | None = None) -> Iterator[Fleet]:
    """Start `signet up` on a fresh folder and stop it at the end. Raises FleetError."""
    data = Path(tempfile.mkdtemp(prefix="signet-bench-"))
    argv = [sys.executable, "-m", "signet.cli", "up", "--data", str(data), "--no-chat", "--port", "0"]
    argv += [] if embedded else ["--no-embedded"]
    ports = {"SIGNET_CONTROL_PORT": "0", "SIGNET_ROUTER_PORT": "0"}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(data / "n"))
            listener.settimeout(READY_SECONDS)
            given = os.environ | ports | dict(environment or {}) | {"NOTIFY_SOCKET": str(data / "n")}
            started = time.perf_counter()
            process = subprocess.Popen(argv, env=given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            try:
                _wait(listener, process)
                yield Fleet(data, process.pid, time.perf_counter() - started, started)
            finally:
                _stop(process)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _wait(listener: socket.socket, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    listener.settimeout(0.5)
    while time.monotonic() < deadline:
        try:
            if b"READY=1" in listener.recv(4096):
                return
        except TimeoutError:
            if process.poll() is not None:
                said = process.stdout.read() if process.stdout else ""
                raise FleetError(f"`signet up` ended with {process.returncode}: {said[-2000:]}") from None
    raise FleetError(f"`signet up` was not ready after {READY_SECONDS} s")


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
