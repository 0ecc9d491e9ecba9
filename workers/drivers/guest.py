"""The first process of a sandbox under another engine: makes the listeners, looks around, and carries the tunnel.

It is told all in one line of JSON on its standard input (`Order`), after which standard input and output are the
tunnel. The sandbox's own loop, `workers.sandbox.init`, runs as its child; orphans fall to this process and are reaped.
"""

import asyncio
import importlib
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from workers.drivers.sight import look
from workers.drivers.tunnel import Pipes, Tunnel
from workers.sandbox import landlock, limits, linux, seccomp, wire
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.init import Init
from workers.sandbox.spec import Spec
from workers.sandbox.surroundings import environment, listen

_LINE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """What a guest is told.

    `uid` is who the sandbox's processes are, `engine` what runs it; `own_kernel`: its kernel is not the host's.
    """

    spec: Spec
    uid: int
    preload: tuple[str, ...]
    engine: str
    own_kernel: bool
    host_kernel: str

    def to_line(self) -> bytes:
        """Write it."""
        fields = {
            "spec": self.spec.to_wire(),
            "uid": self.uid,
            "preload": list(self.preload),
            "engine": self.engine,
            "own_kernel": self.own_kernel,
            "host_kernel": self.host_kernel,
        }
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read what `to_line` wrote."""
        fields: dict[str, Any] = json.loads(line)
        spec, preload = Spec.from_wire(fields.pop("spec")), tuple(fields.pop("preload"))
        return cls(spec=spec, preload=preload, **fields)


def main() -> NoReturn:
    """Serve until the worker or the sandbox's loop is gone."""
    pipes = _pipes()
    order = Order.from_line(_line(pipes.inward))
    for module in order.preload:
        importlib.import_module(module)
    relay, control = wire.pair()
    child = os.fork()
    if child == 0:
        relay.close()
        _serve(order, control, pipes)
    control.close()
    linux.clear_capabilities()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    asyncio.run(_carry(relay, pipes, child))
    os._exit(0)  # and every process of the sandbox with its first


async def _carry(relay: socket.socket, pipes: Pipes, child: int) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, _reap, child, over)
    Tunnel(relay, pipes, first=2, on_end=over.set)
    _reap(child, over)
    await over.wait()


def _reap(child: int, over: asyncio.Event) -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == child:
            over.set()
        if pid == 0:
            return


def _serve(order: Order, control: socket.socket, pipes: Pipes) -> NoReturn:
    """Be the sandbox's loop, with everything given up that can be."""
    try:
        os.close(pipes.inward)
        os.close(pipes.outward)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        listeners = listen(order.spec)
        wire.send(control, {"op": "listening", "names": list(listeners)}, [s.fileno() for s in listeners.values()])
        for listener in listeners.values():
            listener.close()
        _become(order.uid)
        version = _more(order)
        report = look(order.spec, order.engine, order.host_kernel, version, own_kernel=order.own_kernel)
        wire.send(control, {"op": "ready", "report": report.to_wire()})
        Init(control, environment(order.spec)).serve()
    except SandboxUnavailable as error:
        wire.send(control, error.to_wire())
    except BaseException as error:  # noqa: BLE001 - the last frame of this process: the worker has to learn of it
        wire.send(control, SandboxUnavailable(f"{type(error).__name__}: {error}", layer="guest").to_wire())
    os._exit(1)


def _become(uid: int) -> None:
    """Be the sandbox's user, who is another than the one who carries the tunnel where the engine lets it be so."""
    if os.getuid() != uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    with suppress(OSError):  # gVisor has no ambient set; what is left is seen by `look`
        linux.drop_bounding_capabilities()
    linux.clear_capabilities()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # which a change of user clears


def _more(order: Order) -> int:
    """Put our own layers on beneath the engine's; 0 where there is no Landlock, because the kernel is another one."""
    version = 0
    if order.own_kernel:
        _limit(order.spec)
    else:
        limits.apply(order.spec.limits)
        version = landlock.restrict(order.spec, [Path(sys.base_prefix), Path(__file__).parents[2]])
    seccomp.install()
    return version


def _limit(spec: Spec) -> None:
    """Set the limits that this kernel knows; which of them hold is looked at afterwards."""
    for kind, value in limits.table(spec.limits).items():
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (value, value))


def _pipes() -> Pipes:
    """Take the tunnel's ends from 0 and 1, so that no process can find them there."""
    pipes = Pipes(os.dup(0), os.dup(1))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return pipes


def _line(fd: int) -> bytes:
    """Read the order byte by byte: what follows it belongs to the tunnel."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte or len(line) > _LINE_BYTES:
            os._exit(1)
        line += byte
    return bytes(line)
