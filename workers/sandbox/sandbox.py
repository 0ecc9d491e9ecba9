"""An open sandbox: processes are started in it, cleared from it, and die with it."""

import asyncio
import contextlib
import errno
import itertools
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from workers.sandbox import entry, namespaces, usage
from workers.sandbox.channel import Channel
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.group import Group
from workers.sandbox.process import Process
from workers.sandbox.report import Report
from workers.sandbox.spec import Command, Entry, Spec
from workers.sandbox.terminal import Terminal
from workers.sandbox.usage import Usage

_START_SECONDS: Final = 10.0
_TERM: Final = "xterm-256color"
_CLEAR_SECONDS: Final = 10.0
_END_SECONDS: Final = 10.0


class Sandbox:
    """One sandbox, made by `Launcher.open` only.

    `name` is its host name, `pid` its pid 1 as the host numbers it, `report` what the probe saw, `listeners` the
    sockets that listen inside and are accepted outside (non-blocking; the sandbox closes them), `group` what bounds it.

    Not for use by several event loops; methods may be called concurrently by tasks of one.
    """

    def __init__(
        self,
        spec: Spec,
        control: socket.socket,
        pid: int,
        death: asyncio.Future[int],
        kill: Callable[[], None],
        *,
        group: Group | None = None,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.pid = pid
        self.report = Report(())
        self.listeners: dict[str, socket.socket] = {}
        self._death = death
        self._kill = kill
        self.group = group
        self._told = False  # of the listeners
        self._mapped = False
        self._placed = group is None
        self._numbers = itertools.count(1)
        self._processes: dict[int, Process] = {}
        self._answers: dict[int, asyncio.Future[Process | None]] = {}
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Report] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        # Without its control socket a sandbox is of no use, so whoever closes it there has it killed here.
        self._channel = Channel(control, self._receive, kill)
        death.add_done_callback(self._died)

    @classmethod
    def adopt(
        cls, state: Mapping[str, Any], fds: Sequence[int], death: asyncio.Future[int], kill: Callable[[], None]
    ) -> Self:
        """Take over the sandbox that `release` has described; `fds` are those of the whole handover."""
        group = Group.from_wire(state["group"]) if state["group"] else None
        control = socket.socket(fileno=fds[state["control"]])
        sandbox = cls(Spec.from_wire(state["spec"]), control, state["pid"], death, kill, group=group)
        sandbox.report = Report.from_wire(state["report"])
        sandbox.listeners = {name: socket.socket(fileno=fds[place]) for name, place in state["listeners"].items()}
        sandbox._told = True
        sandbox._numbers = itertools.count(state["next"])
        sandbox._resolve_ready(sandbox.report)
        return sandbox

    def release(self, fds: list[int]) -> dict[str, Any] | None:
        """Give up this sandbox without ending it: add its descriptors to `fds`, and describe it for `adopt`.

        None if it cannot be: it is about to end, or a request waits to be sent. Then it ends with this program.
        """
        try:
            control = self._channel.detach()
        except (BufferError, ConnectionError):
            return None
        first = len(fds) + 1
        fds += [control, *(listener.detach() for listener in self.listeners.values())]
        return {
            "spec": self.spec.to_wire(),
            "pid": self.pid,
            "report": self.report.to_wire(),
            "control": first - 1,
            "listeners": {name: first + place for place, name in enumerate(self.listeners)},
            "next": next(self._numbers),
            "group": self.group.to_wire() if self.group else None,
        }

    @property
    def ended(self) -> str | None:
        """Why the sandbox is gone, None while it lives."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> str:
        """Wait until the sandbox is gone, for whatever reason, and return it."""
        return await asyncio.shield(self._ended)

    async def opened(self) -> None:
        """Wait until the probe has reported; SandboxUnavailable if a layer failed or a needed one is absent."""
        self.report = await self._ready
        for layer in self.report.missing(self.spec.best_effort):
            raise SandboxUnavailable(layer.detail + ".", layer=layer.name, hint=layer.hint)

    async def start(
        self,
        what: Entry | Command,
        *,
        fds: Mapping[int, int] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        terminal: Terminal | None = None,
        seconds: float | None = None,
    ) -> Process:
        """Start a process in a session of its own, with `env` added to the sandbox's.

        It starts in `cwd` (the spec's `home`). It has `fds` (number inside: fd here, which stays the caller's) and no
        others; of 0, 1 and 2 what is not given is /dev/null. With `terminal` these three are one, its controlling
        terminal, whose other end is the process's `terminal`. After `seconds` its process group is killed.

        Raises FileNotFoundError, PermissionError or another OSError if the program cannot be started, ValueError if
        the request is too large (128 KiB, 32 fds, numbers 0 to 31) or gives 0, 1 or 2 besides a terminal,
        SandboxUnavailable if the sandbox is gone or does not answer.
        """
        places = entry.checked(fds or {})
        if terminal and {0, 1, 2} & set(places):
            raise ValueError("0, 1 and 2 are the terminal; no other fd can be placed there.")
        message: dict[str, Any] = {"op": "start", "places": list(places), "cwd": cwd or self.spec.home}
        message["env"] = {**({"TERM": _TERM} if terminal else {}), **(env or {})}
        message["terminal"] = [terminal.rows, terminal.columns] if terminal else None
        message |= {"entry": what.target} if isinstance(what, Entry) else {"argv": list(what.argv)}
        number = next(self._numbers)
        try:
            async with asyncio.timeout(_START_SECONDS):
                process = await self._ask(number, message, list(places.values()))
        except TimeoutError as late:
            raise self._gone(f"pid 1 did not answer in {_START_SECONDS:.0f} s.") from late
        if process is None or (process.terminal is None) != (terminal is None):
            raise self._gone("pid 1 gave a wrong answer.")
        if seconds is not None:
            process.bound(seconds)
        return process

    async def clear(self) -> None:
        """Kill every process but pid 1 and wait until they are gone; SandboxUnavailable after ten seconds."""
        number = next(self._numbers)
        try:
            async with asyncio.timeout(_CLEAR_SECONDS):
                await self._ask(number, {"op": "clear"}, [])
        except TimeoutError as late:
            raise self._gone(f"its processes did not die in {_CLEAR_SECONDS:.0f} s.") from late

    def placed(self) -> None:
        """Let it go on: its pid 1 is in the group, and so will be all that it starts."""
        self._placed = True
        self._go_on()

    def usage(self) -> Usage:
        """Measure what it uses now; all zero once it is gone."""
        return Usage(0, 0, 0) if self._death.done() else usage.measure(self.pid, self.group)

    async def aclose(self) -> None:
        """Kill everything in it and wait until it is gone. May be called twice."""
        self._channel.close()
        self._settle("closed.")
        for listener in self.listeners.values():
            listener.close()
        self._kill()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.shield(self._death)
        except TimeoutError as late:
            raise self._gone(f"killed, but not dead in {_END_SECONDS:.0f} s.") from late

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _ask(self, number: int, message: dict[str, Any], fds: list[int]) -> Process | None:
        if self._ended.done():
            raise self._gone(self._ended.result())
        answer: asyncio.Future[Process | None] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._channel.send({**message, "id": number}, fds)
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None and answer.result():
                self._signal(number, signal.SIGKILL)  # it was started between the answer and the next step here
            raise
        except (BufferError, ConnectionError) as error:
            raise self._gone(str(error)) from error
        finally:
            self._answers.pop(number, None)

    def _receive(self, message: dict[str, Any], fds: list[int]) -> None:
        """Take a message. Pid 1 is inside: what makes no sense ends it, and descriptors are welcome but once."""
        try:
            if message["op"] == "listening" and not self._told:
                self._listening(message["names"], fds)
                fds = []
            else:
                self._take(message, fds)
        except (KeyError, TypeError, ValueError):
            self._kill()
        finally:
            for fd in fds:
                os.close(fd)

    def _take(self, message: dict[str, Any], fds: list[int]) -> None:
        kind = message["op"]
        if kind == "ready":
            self._resolve_ready(Report.from_wire(message["report"]))
        elif kind == "failed":
            self._resolve_ready(SandboxUnavailable.from_wire(message))
        elif kind == "exited":
            if process := self._processes.pop(message["id"], None):
                process.ended(message["code"])
        else:
            self._answered(message, fds)

    def _listening(self, names: list[str], fds: list[int]) -> None:
        self._told = True
        self.listeners = {name: socket.socket(fileno=fd) for name, fd in zip(names, fds, strict=True)}
        for listener in self.listeners.values():
            listener.setblocking(False)
        try:
            if self.spec.host_uid is not None:
                namespaces.map_user(self.pid, self.spec.host_uid, self.spec.host_uid)
        except OSError as error:
            reason = f"host uid {self.spec.host_uid} cannot be mapped: {error.strerror}."
            self._resolve_ready(SandboxUnavailable(reason, layer="user"))
        else:
            self._mapped = True
            self._go_on()

    def _go_on(self) -> None:
        if self._mapped and self._placed:
            with contextlib.suppress(ConnectionError):  # it has died, which is told otherwise
                self._channel.send({"op": "placed"})

    def _answered(self, message: dict[str, Any], fds: list[int]) -> None:
        number = message["id"]
        answer = self._answers.get(number)
        if answer is None or answer.done():  # whoever asked was cancelled
            self._signal(number, signal.SIGKILL)
        elif message["op"] == "refused":
            answer.set_exception(_refusal(message))
        elif message["op"] == "started":
            if fds and not os.isatty(fds[0]):
                raise ValueError("no terminal.")
            master = fds.pop(0) if fds else None
            process = Process(message["pid"], lambda signum: self._signal(number, signum), master)
            self._processes[number] = process
            answer.set_result(process)
        else:
            answer.set_result(None)

    def _signal(self, number: int, signum: int) -> None:
        with contextlib.suppress(ConnectionError):  # it dies anyway
            self._channel.send({"op": "signal", "id": number, "signal": int(signum)})

    def _resolve_ready(self, result: Report | SandboxUnavailable) -> None:
        if self._ready.done():
            return
        if isinstance(result, Report):
            self._ready.set_result(result)
        else:
            self._ready.set_exception(result)
            self._ready.exception()  # whoever opens it may have been cancelled; then nobody else asks

    def _died(self, death: asyncio.Future[int]) -> None:
        # What pid 1 said before it died may still wait in the socket.
        self._channel.drain()
        self._channel.close()
        self._settle(_describe(death.result()))

    def _settle(self, reason: str) -> None:
        if self._ended.done():
            return
        self._ended.set_result(reason)
        self._resolve_ready(self._gone(reason))
        for process in self._processes.values():
            process.ended(-signal.SIGKILL)
        self._processes.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self._gone(reason))
                answer.exception()

    def _gone(self, reason: str) -> SandboxUnavailable:
        return SandboxUnavailable(f"the sandbox {self.name} is gone: {reason}", layer="init")


def _refusal(message: dict[str, Any]) -> Exception:
    if message["errno"] is None:
        return ValueError(message["reason"])
    if message["errno"] == errno.EAGAIN:
        reason = "the sandbox has as many processes as it may."
        return SandboxUnavailable(reason, layer="limits", hint="Clear it, or raise limits.processes.")
    return OSError(message["errno"], message["reason"], message["file"])


def _describe(code: int) -> str:
    return f"pid 1 was killed by {signal.Signals(-code).name}." if code < 0 else f"pid 1 ended with code {code}."
