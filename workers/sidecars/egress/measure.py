"""How fast the way out is, beside a bare asyncio relay in the same run: `python -m workers.sidecars.egress.measure`.

Prints `{"rows": [{name, unit, n, value | p50, p99, reference?, ratio?}, …]}`. `egress_throughput` is bytes through a
tunnel for each second of the relaying process's own processor time, the figure for one core; `…_wall` is by the clock,
with the ends on the same cores. `egress_latency` is from a connection's begin to the first byte back through it.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import median, quantiles

from signet.policy import canonical
from signet.policy.model import Block, Endpoint, Network, Policy
from workers.sidecars import reports
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.main import Egress
from workers.sidecars.egress.wire import READ_BYTES

BULK_BYTES = 1024 * 1024 * 1024
TUNNELS = 200
REFERENCE = "asyncio_relay"
_PIECE = bytes(256 * 1024)
_HOME = "127.0.0.1"
_MIB = 1e6


@dataclass(frozen=True)
class Ran:
    """What one relay did: seconds by the clock, seconds of its processor time, and each tunnel's seconds to open."""

    wall: float
    cpu: float
    opened: list[float]


def measure(size: int = BULK_BYTES, tunnels: int = TUNNELS) -> list[dict[str, object]]:
    """Give the rows. Takes some seconds; processes are forked for the ends and the relays."""
    with _child(_source) as (port, _):
        ours, bare = (_ran(relay, port, size, tunnels) for relay in (_egress, _bare))
    rows: list[dict[str, object]] = []
    for name, here, there in (
        ("egress_throughput", size / ours.cpu / _MIB, size / bare.cpu / _MIB),
        ("egress_throughput_wall", size / ours.wall / _MIB, size / bare.wall / _MIB),
    ):
        row = {"name": name, "unit": "MB/s", "n": 1, "value": round(here, 1)}
        rows += [row, {**row, "value": round(there, 1), "reference": REFERENCE, "ratio": round(here / there, 3)}]
    row = {"name": "egress_latency", "unit": "ms", "n": tunnels}
    ratio = round(median(ours.opened) / median(bare.opened), 3)
    return [
        *rows,
        {**row, **_spread(ours.opened)},
        {**row, **_spread(bare.opened), "reference": REFERENCE, "ratio": ratio},
    ]


def _ran(relay: Callable[[socket.socket, int], None], site: int, size: int, tunnels: int) -> Ran:
    with _child(lambda listener: relay(listener, site)) as (port, pid):
        opened = [_open(port, site) for _ in range(tunnels)]
        sock = _tunnel(port, site)
        cpu, began = _cpu(pid), time.perf_counter()
        sock.sendall(size.to_bytes(8))
        left = size
        while left:
            left -= len(sock.recv(min(left, len(_PIECE))))
        wall, cpu = time.perf_counter() - began, _cpu(pid) - cpu
        sock.close()
    return Ran(wall, max(cpu, 1 / os.sysconf("SC_CLK_TCK")), opened)


def _tunnel(port: int, site: int) -> socket.socket:
    sock = socket.create_connection((_HOME, port))
    sock.sendall(f"CONNECT {_HOME}:{site} HTTP/1.1\r\nHost: {_HOME}:{site}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += sock.recv(1)
    if b" 200 " not in answer:
        raise OSError(answer.decode())
    return sock


def _open(port: int, site: int) -> float:
    began = time.perf_counter()
    with _tunnel(port, site) as sock:
        sock.sendall((1).to_bytes(8))
        sock.recv(1)
    return time.perf_counter() - began


def _source(listener: socket.socket) -> None:
    """Send each client as many bytes as it asks for."""
    while True:
        sock, _ = listener.accept()
        with contextlib.suppress(OSError), sock:
            left = int.from_bytes(sock.recv(8))
            while left:
                left -= sock.send(_PIECE[: min(left, len(_PIECE))])


def _egress(listener: socket.socket, site: int) -> None:
    """Be the sidecar, with a policy that lets the source through."""

    async def serve() -> None:
        ours, theirs = socket.socketpair()
        endpoint = Endpoint(_HOME, site, allowed_ips=(_HOME,))
        policy = Policy(network=Network((Block("bench", (endpoint,)),)))
        order = {
            "document": canonical.dump(policy), "grants": [], "door": "", "token": "", "root": os.getppid(),
            "placeholders": {}, "ports": [], "roots": "", "limits": asdict(Limits()), "number": 1,
        }  # fmt: skip
        ours.sendall(reports.encode("load", order))
        ours.setblocking(False)
        async with asyncio.TaskGroup() as group:
            group.create_task(Egress(listener, theirs).run())
            while await asyncio.get_running_loop().sock_recv(ours, READ_BYTES):
                pass

    asyncio.run(serve())


def _bare(listener: socket.socket, site: int) -> None:
    """Be what anybody writes first: two copying loops on asyncio's streams, which decide nothing."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        out = await asyncio.open_connection(_HOME, site)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, out[1]), copy(out[0], writer))

    async def run() -> None:
        await (await asyncio.start_server(serve, sock=listener)).serve_forever()

    asyncio.run(run())


@contextlib.contextmanager
def _child(run: Callable[[socket.socket], None]) -> Iterator[tuple[int, int]]:
    """Run a server in a process of its own; give its port and pid."""
    with socket.create_server((_HOME, 0), backlog=64) as listener:
        pid = os.fork()
        if pid == 0:
            try:
                run(listener)
            finally:
                os._exit(1)
        port = listener.getsockname()[1]
    try:
        yield port, pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _cpu(pid: int) -> float:
    """Give the processor time of a process, in seconds."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:  # noqa: PTH123 - read in one go
        return int(file.read().split()[0]) / 1e9


def _spread(seconds: list[float]) -> dict[str, float]:
    return {"p50": round(median(seconds) * 1e3, 3), "p99": round(quantiles(seconds, n=100)[98] * 1e3, 3)}


def main() -> None:
    """Print the rows."""
    json.dump({"rows": measure()}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
