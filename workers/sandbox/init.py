"""Pid 1 of a sandbox: starts processes as asked, reports how they ended, reaps orphans, and dies with its launcher."""

import contextlib
import errno
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from workers.sandbox import entry, leftovers, terminal, wire
from workers.sandbox.terminal import Terminal
from workers.sandbox.watch import Watch

_LOOK_SECONDS: Final = 0.001
_SPAWN_ATTEMPTS: Final = {errno.ENOENT, errno.EACCES, errno.ENOTDIR}


class Init:
    """The loop of pid 1. `control` is the launcher's socket, `env` what every process starts from.

    `memory_bytes` (0: not bounded) is what all processes may have together, if nothing else holds them to it.

    Takes `start`, `signal` and `clear`; sends `started` or `refused`, `exited`, `cleared`, each with the request's id.
    Ends, and with it every process of the sandbox, when the launcher closes the control socket.
    """

    def __init__(self, control: socket.socket, env: Mapping[str, str], memory_bytes: int = 0) -> None:
        self._control = control
        self._watch = Watch(memory_bytes)
        self._env = dict(env)
        self._running: dict[int, int] = {}  # pid to the id of its start
        self._children, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> NoReturn:
        """Run until the launcher is gone."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._children, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll(self._watch.timeout)}
            self._watch.look()
            if self._children in ready:
                os.read(self._children, 4096)
                self._reap(os.WNOHANG)
            if self._control.fileno() in ready:
                self._take()

    def _take(self) -> None:
        received = wire.receive(self._control)
        if received is None:
            os._exit(0)  # the kernel kills every process of a pid namespace with its first
        message, fds = received
        if message["op"] == "start":
            self._start(message, entry.lift(fds))
        elif message["op"] == "signal":
            self._signal(message["id"], message["signal"])
        elif message["op"] == "clear":
            self._clear(message["id"])

    def _start(self, message: dict[str, Any], fds: list[int]) -> None:
        places = dict(zip(message["places"], fds, strict=True))
        master: list[int] = []
        path = None
        try:
            if size := message["terminal"]:
                pair, path = terminal.make(Terminal(*size))
                fds += entry.lift(pair)
                master = fds[-2:-1]
                places |= dict.fromkeys(range(3), fds[-1])
            _go(message["cwd"])
            pid = (self._fork if "entry" in message else self._spawn)(message, places, path)
        except OSError as error:
            refusal = {"reason": error.strerror, "errno": error.errno, "file": error.filename}
            self._send({"op": "refused", "id": message["id"], **refusal})
        except (LookupError, TypeError, ValueError) as error:
            self._send({"op": "refused", "id": message["id"], "reason": str(error), "errno": None})
        else:
            self._running[pid] = message["id"]
            self._watch.begin()
            self._send({"op": "started", "id": message["id"], "pid": pid}, master)
        finally:
            os.chdir("/")
            for fd in fds:
                os.close(fd)

    def _fork(self, message: dict[str, Any], places: Mapping[int, int], path: str | None) -> int:
        function = entry.resolve(message["entry"])
        pid = os.fork()
        if pid == 0:
            env = {**self._env, **message["env"]}
            entry.run(function, places=places, env=env, name=message["entry"], on_terminal=path is not None)
        return pid

    def _spawn(self, message: dict[str, Any], places: Mapping[int, int], path: str | None) -> int:
        """Run a program by posix_spawn: it shares memory until the exec, so no page tables of Python are copied."""
        argv: list[str] = message["argv"]
        env = {**self._env, **message["env"]}
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in places.items()]
        if path:  # the first terminal that the leader of a session opens becomes its own
            actions.insert(0, (os.POSIX_SPAWN_OPEN, 0, path, os.O_RDWR, 0))
        failure: OSError | None = None
        for program in _candidates(argv[0], env.get("PATH", "")):
            try:
                return os.posix_spawn(
                    program,
                    argv,
                    env,
                    file_actions=actions,
                    setsid=True,
                    setsigmask=[],
                    setsigdef=entry.SIGNALS_TO_RESET,
                )
            except OSError as error:
                if error.errno not in _SPAWN_ATTEMPTS:
                    raise OSError(error.errno, error.strerror, argv[0]) from error
                failure = error if failure is None or error.errno == errno.EACCES else failure
        number = failure.errno if failure else errno.ENOENT
        raise OSError(number, os.strerror(number or errno.ENOENT), argv[0])

    def _signal(self, identity: int, number: int) -> None:
        for pid, running in self._running.items():
            if running == identity:
                try:
                    os.killpg(pid, number)
                except ProcessLookupError:  # so young that it has no group yet
                    os.kill(pid, number)

    def _clear(self, identity: int) -> None:
        """Kill every process but this one, wait until they are gone, and undo what they have left behind."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        self._reap(0)
        _until_alone()
        leftovers.unlock()
        leftovers.remove_shared()
        self._send({"op": "cleared", "id": identity})

    def _reap(self, flags: int) -> None:
        """Collect the dead, orphans too, until none is left (with WNOHANG: none that is dead)."""
        while True:
            try:
                pid, status = os.waitpid(-1, flags)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (identity := self._running.pop(pid, None)) is not None:
                self._send({"op": "exited", "id": identity, "code": os.waitstatus_to_exitcode(status)})

    def _send(self, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        try:
            wire.send(self._control, message, fds)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)


def _until_alone() -> None:
    """Where this is not pid 1, orphans fall to pid 1: wait until it has reaped them. Who asked says when to give up."""
    if os.getpid() != 1:
        ours = {"1", str(os.getpid())}
        while any(each.name.isdigit() and each.name not in ours for each in Path("/proc").iterdir()):
            time.sleep(_LOOK_SECONDS)


def _go(folder: str) -> None:
    try:
        os.chdir(folder)
    except PermissionError:  # perhaps since an agent has locked itself out
        leftovers.unlock()
        os.chdir(folder)


def _candidates(program: str, path: str) -> list[str]:
    if "/" in program:
        return [program]
    return [str(Path(folder, program)) for folder in path.split(":") if folder]
