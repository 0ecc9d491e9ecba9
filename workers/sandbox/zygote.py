"""The process that sandboxes and sidecars are forked from: exec'd fresh, one thread, no secrets, all imports done.

    python -m workers.sandbox.zygote CONTROL_FD PARENT_PID MODULE…

On the control socket come `sandbox` {id, spec, grouped} with the sandbox's own control socket, `sidecar` {id, entry,
env, places} with its fds, and `signal` {pid, signal}. Out go `hello` {as_root}, `forked` {id, pid}, `failed` {id,
reason, layer, hint} and `exited` {pid, code}.
"""

import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from workers.sandbox import entry, linux, mounts, namespaces, seccomp, wire
from workers.sandbox.enter import enter, stand_by
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.spec import Spec
from workers.sandbox.standby import Standby
from workers.sandbox.syscalls import machine


class Zygote:
    """The loop: fork as asked, report exits of direct children. Everything it forked dies with it.

    While there is nothing to do it forks one sandbox ahead, so that the next has its namespaces when it is asked for.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._host = namespaces.Host.here()
        self._children: dict[int, int] = {}  # pidfd to pid
        self._standby: Standby | None = None
        self._ahead = True  # whether to make one when there is nothing else to do
        self._poller = select.poll()
        self._poller.register(control, select.POLLIN)

    def serve(self) -> NoReturn:
        """Run until the worker closes the control socket."""
        wire.send(self._control, {"op": "hello", "as_root": self._host.as_root})
        while True:
            ready = self._poller.poll(0 if self._ahead and not self._standby else None)
            if not ready:
                self._stand_by()
            for fd, _ in ready:
                if fd == self._control.fileno():
                    self._take()
                else:
                    self._reap(fd)

    def _take(self) -> None:
        received = wire.receive(self._control)
        if received is None:
            self._end()
        message, fds = received
        if message["op"] == "signal":
            self._signal(message["pid"], message["signal"])
            return
        fds = entry.lift(fds)
        try:
            pid = self._sandbox(message, fds) if message["op"] == "sandbox" else self._sidecar(message, fds)
        except SandboxUnavailable as error:
            wire.send(self._control, {**error.to_wire(), "id": message["id"]})
        except (OSError, LookupError) as error:
            refused = SandboxUnavailable(str(error), layer="zygote")
            wire.send(self._control, {**refused.to_wire(), "id": message["id"]})
        else:
            wire.send(self._control, {"op": "forked", "id": message["id"], "pid": pid})
        finally:
            for fd in fds:
                os.close(fd)

    def _sandbox(self, message: dict[str, Any], fds: Sequence[int]) -> int:
        if (standby := self._fresh_standby()) and standby.ready and standby.tell(message, fds):
            standby.close()
            self._standby = None
            return standby.pid
        spec = Spec.from_wire(message["spec"])
        pid = namespaces.create(as_root=self._host.as_root)
        if pid == 0:
            enter(spec, socket.socket(fileno=fds[0]), self._host, message["grouped"])
        self._adopt(pid)
        return pid

    def _stand_by(self) -> None:
        """Fork the next sandbox ahead of the wish for it."""
        try:
            self._standby = Standby.make(as_root=self._host.as_root, wait=lambda door: stand_by(door, self._host))
        except (SandboxUnavailable, OSError):
            self._ahead = False  # who asks for a sandbox learns why
        else:
            self._adopt(self._standby.pid)

    def _fresh_standby(self) -> Standby | None:
        if self._standby and self._standby.stale:
            self._standby.end()
            self._standby = None
        return self._standby

    def _sidecar(self, message: dict[str, Any], fds: Sequence[int]) -> int:
        function = entry.resolve(message["entry"])
        places = dict(zip(message["places"], fds, strict=True))
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != zygote:  # it was dead before that was set
                os._exit(1)
            entry.run(function, places=places, env={**os.environ, **message["env"]}, name=message["entry"])
        self._adopt(pid)
        return pid

    def _adopt(self, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid
        self._poller.register(pidfd, select.POLLIN)

    def _reap(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        self._poller.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        if self._standby and self._standby.pid == pid:
            self._standby.close()
            self._standby, self._ahead = None, False
            return
        wire.send(self._control, {"op": "exited", "pid": pid, "code": os.waitstatus_to_exitcode(status)})

    def _signal(self, pid: int, number: int) -> None:
        if pid in self._children.values():
            os.kill(pid, number)

    def _end(self) -> NoReturn:
        for pid in self._children.values():
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """Run as `python -m workers.sandbox.zygote`; ends when the control socket does or the worker dies."""
    control = socket.socket(fileno=int(arguments[0]))
    os.set_inheritable(control.fileno(), False)
    linux.close_all_but({0, 1, 2, control.fileno()})
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_NAME, b"signet-zygote\0")
    if os.getppid() != int(arguments[1]):
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a sandbox costs one descriptor here
    try:
        for module in arguments[2:]:
            importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever a module raises when it is imported
        wire.send(
            control, SandboxUnavailable(f"preload failed: {type(error).__name__}: {error}", layer="zygote").to_wire()
        )
        return
    # Looked up and assembled once, for all.
    mounts.host_view()
    for memfd in (False, True):
        seccomp.program(machine(), memfd)
    # What is here now stays: no collection may touch, and so copy, the pages that all forks share.
    gc.collect()
    gc.freeze()
    Zygote(control).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
