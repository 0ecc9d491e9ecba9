"""What one call costs the router: a real router between a small upstream and a small generator, each its own process.

`python -m router.http.measure [--calls 5000] [--streams 320] [--callers 32] [--door unix|tcp]` prints JSON: CPU of the
router for each call in microseconds, all of its threads, with run tokens checked, rows durable and keys redacted.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from router.http import measured
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.home import Home

_START_SECONDS = 30.0
_CHUNKS = 64
_WHOLE = re.compile(rb"content-length: (\d+)\r\n")


@dataclass(frozen=True)
class Load:
    """What is asked: how often, by how many at once, and what an answer must hold to be one."""

    name: str
    request: bytes
    calls: int
    callers: int
    marks: tuple[bytes, ...]


class Caller(asyncio.Protocol):
    """Asks again as soon as it was answered, for as long as there is something left to ask."""

    def __init__(self, load: Load, left: list[int], took: list[float]) -> None:
        self._load = load
        self._left = left
        self._took = took
        self._began = 0.0
        self._said = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Check an answer once it is whole."""
        self._said += data
        if not self._whole():
            return
        if not all(mark in self._said for mark in self._load.marks):
            self._end(ValueError(f"no answer: {bytes(self._said[:400])!r}"))
            return
        self._took.append(time.perf_counter() - self._began)
        self._said.clear()
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, unless all was asked."""
        self._end(error or ConnectionError("the door hung up"))

    def _ask(self) -> None:
        if self._left[0] <= 0:
            self._end(None)
            self._transport.close()
            return
        self._left[0] -= 1
        self._began = time.perf_counter()
        self._transport.write(self._load.request)

    def _whole(self) -> bool:
        head = self._said.find(b"\r\n\r\n")
        if head < 0:
            return False
        match = _WHOLE.search(self._said, 0, head + 2)
        return len(self._said) >= head + 4 + int(match[1]) if match else self._said.endswith(b"\r\n0\r\n\r\n")

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)


def cpu_seconds(pid: int) -> float:
    """Give the CPU that all threads of a process have used."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


async def run(load: Load, door: Path | int, pid: int) -> dict[str, Any]:
    """Put a load on the door; gives a row."""
    left, took = [load.calls], list[float]()
    loop = asyncio.get_running_loop()
    before, began = cpu_seconds(pid), time.perf_counter()
    callers = []
    for _ in range(load.callers):
        made = lambda: Caller(load, left, took)  # noqa: E731 - one line says it
        if isinstance(door, int):
            callers.append((await loop.create_connection(made, "127.0.0.1", door))[1])
        else:
            callers.append((await loop.create_unix_connection(made, str(door)))[1])
    await asyncio.gather(*(caller.done for caller in callers))
    seconds = time.perf_counter() - began
    took.sort()
    return {
        "name": load.name,
        "unit": "us",
        "n": len(took),
        "value": round((cpu_seconds(pid) - before) / len(took) * 1e6, 1),
        "callers": load.callers,
        "calls_per_second": round(len(took) / seconds),
        "p50_ms": round(took[len(took) // 2] * 1e3, 2),
        "p99_ms": round(took[len(took) * 99 // 100] * 1e3, 2),
    }


def request(token: str, *, stream: bool, paced: bool = False) -> bytes:
    """Write a call."""
    body = {
        "model": "openai/paced" if paced else "openai/burst",
        "messages": [{"role": "system", "content": "You are terse. " * 12}, {"role": "user", "content": "Why? " * 40}],
        "stream": stream,
    }
    text = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: inference.local\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


@contextmanager
def programs(home: Home, port: int) -> Iterator[int]:
    """Run the upstream and the router; gives the router's pid."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        upstream = subprocess.Popen(
            [sys.executable, "-m", "router.http.measured", str(listener.fileno())], pass_fds=[listener.fileno()]
        )
    words = ["port=0", "embedded=off", f"door_port={port}"]
    options = [word for option in words for word in ("--set", option)]
    router = subprocess.Popen(
        [sys.executable, "-m", "signet.cli", "router", "--data", str(home.root), *options],
        env={**os.environ, "OPENAI_BASE_URL": address, "OPENAI_API_KEY": secrets.token_hex(20)},
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(home.socket("door.sock"))
        yield router.pid
    finally:
        for each in (router, upstream):
            each.send_signal(signal.SIGTERM)
            each.wait(_START_SECONDS)


def _wait_for(door: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(door))
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the router did not start")


async def measure(options: argparse.Namespace, home: Home, pid: int) -> dict[str, Any]:
    """Run every load once to warm up, and once for the record."""
    models = ("openai/burst", "openai/paced")
    claims = RunClaims("runs/r1", "agents/a1", "sessions/s1", models, 1, int(time.time()) + 3600)
    token = sign_run_token(home.key("run.key"), claims)
    door = options.port if options.door == "tcp" else home.socket("door.sock")
    stream_marks = (b"200 OK", b"[DONE]", b": signet-usage", measured.LAST)
    call = request(token, stream=False)
    rows = []
    for load in (
        Load("call_cpu", call, options.calls, options.callers, (b"200 OK", b"x-signet-usage", b'"usage"')),
        Load("call_cpu_alone", call, options.calls // 5, 1, (b"200 OK", b"x-signet-usage", b'"usage"')),
        Load("burst_cpu", request(token, stream=True), options.streams, options.callers, stream_marks),
        Load("stream_cpu", request(token, stream=True, paced=True), options.streams, options.callers, stream_marks),
    ):
        warm = Load(load.name, load.request, max(load.callers, load.calls // 10), load.callers, load.marks)
        await run(warm, door, pid)
        rows.append(await run(load, door, pid))
    return {"suite": "router.http", "door": options.door, "chunks": _CHUNKS, "rows": rows}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--streams", type=int, default=320)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--door", choices=("unix", "tcp"), default="unix")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        home = Home(Path(folder) / "d")
        home.prepare()
        with programs(home, options.port) as pid:
            print(json.dumps(asyncio.run(measure(options, home, pid)), indent=1))  # noqa: T201 - it is what it is for
    return 0


if __name__ == "__main__":
    sys.exit(main())
