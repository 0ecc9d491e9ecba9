"""The worker's side of the zygote: start it, open sandboxes, fork sidecars."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from workers.sandbox import cgroups, entry, namespaces, wire
from workers.sandbox.cgroups import Groups
from workers.sandbox.channel import Channel
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.group import Group
from workers.sandbox.process import Process
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Entry, Spec

_START_SECONDS: Final = 30.0
_OPEN_SECONDS: Final = 10.0
_END_SECONDS: Final = 10.0
_REMOVALS: Final = 200  # attempts to remove a group whose last process is just going
_REMOVAL_SECONDS: Final = 0.01
_SOURCES: Final = Path(__file__).parents[2]
# By -c and not -m, so that it also runs from a checkout which is not installed; -I so that nothing in the worker's
# environment, folder or home decides what is imported.
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from workers.sandbox.zygote import main; main(sys.argv[1:])"
)

Child = tuple[int, asyncio.Future[int]]  # the pid of what the zygote forked, and its exit code in time


class Launcher:
    """One zygote and everything forked from it.

    When the zygote is gone (`wait` returns) so are its sandboxes: start another. It is gone, too, with the thread that
    started it.
    """

    def __init__(self, zygote: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._zygote = zygote
        self._numbers = itertools.count(1)
        loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._answers: dict[int, asyncio.Future[Child]] = {}
        self._children: dict[int, asyncio.Future[int]] = {}
        self._sandboxes: set[Sandbox] = set()
        self._as_root = False
        self._groups = Groups.find()
        self._removals: set[asyncio.Task[None]] = set()
        self._channel = Channel(control, self._receive, self._lost)

    @classmethod
    async def start(
        cls, preload: Sequence[str] = (), *, env: Mapping[str, str] | None = None, python: str = sys.executable
    ) -> Self:
        """Start the zygote, which imports the modules of `preload`.

        `env` is all that sidecars find in their environment besides PATH and LANG: no secrets. SandboxUnavailable if
        Python cannot be started or a module cannot be imported.
        """
        ours, theirs = wire.pair()
        argv = [python, "-I", "-c", _BOOT, str(_SOURCES), str(theirs.fileno()), str(os.getpid()), *preload]
        with theirs:
            try:
                zygote = await asyncio.create_subprocess_exec(
                    *argv,
                    env={"PATH": os.defpath, "LANG": "C.UTF-8", **(env or {})},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except BaseException as error:
                ours.close()
                if not isinstance(error, OSError):
                    raise
                raise SandboxUnavailable(
                    f"{python}: {error.strerror}.", layer="zygote", hint=_unreadable(python)
                ) from error
        launcher = cls(zygote, ours)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await launcher._greet(python)
        except BaseException:
            await launcher.aclose()
            raise
        return launcher

    @property
    def pid(self) -> int:
        """The zygote's pid."""
        return self._zygote.pid

    @property
    def as_root(self) -> bool:
        """Whether sandboxes are launched by root, each with a host uid of its own."""
        return self._as_root

    async def open(self, spec: Spec) -> Sandbox:
        """Open a sandbox with every layer on and probed; SandboxUnavailable names the layer that cannot be had."""
        if self._as_root and spec.host_uid is None:
            raise ValueError("host_uid is needed when the worker runs as root.")
        if not self._as_root:
            spec = replace(spec, host_uid=None)
        _prepare(spec)
        group = self._group(spec)
        ours, theirs = wire.pair()
        with theirs:
            try:
                message = {"op": "sandbox", "spec": spec.to_wire(), "grouped": group.controllers if group else []}
                pid, death = await self._fork(message, [theirs.fileno()])
            except BaseException:
                ours.close()
                self._remove(group)
                raise
        death.add_done_callback(lambda _: self._remove(group))
        sandbox = Sandbox(spec, ours, pid, death, lambda: self._signal(pid, signal.SIGKILL), group=group)
        self._sandboxes.add(sandbox)
        death.add_done_callback(lambda _: self._sandboxes.discard(sandbox))
        try:
            # It goes on only when the sandbox has answered it, so all that it ever starts is in the group.
            _place(group, pid)
            async with asyncio.timeout(_OPEN_SECONDS):
                await sandbox.opened()
        except TimeoutError as late:
            await sandbox.aclose()
            raise SandboxUnavailable(f"it was not ready in {_OPEN_SECONDS:.0f} s.", layer="init") from late
        except BaseException:
            await sandbox.aclose()
            raise
        return sandbox

    async def sidecar(
        self, target: str, *, fds: Mapping[int, int] | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """Fork a sidecar, `module:function` of a preloaded module, in the host's namespaces.

        It has a session of its own, those fds (number there: fd here, which stays the caller's) and standard error.
        Its signals go to it alone. SandboxUnavailable if it cannot be forked.
        """
        places = entry.checked(fds or {})
        message = {"op": "sidecar", "entry": Entry(target).target, "places": list(places), "env": dict(env or {})}
        pid, death = await self._fork(message, list(places.values()))
        process = Process(pid, lambda number: self._signal(pid, number))
        death.add_done_callback(lambda done: process.ended(done.result()))
        return process

    async def wait(self) -> None:
        """Wait until the zygote is gone."""
        await asyncio.shield(self._ended)

    async def aclose(self) -> None:
        """End every sandbox and sidecar, then the zygote. May be called twice."""
        deaths = list(self._children.values())
        for pid in self._children:
            self._signal(pid, signal.SIGKILL)
        if deaths:
            await asyncio.wait(deaths, timeout=_END_SECONDS)
        self._channel.close()  # which ends it
        self._lost()
        for sandbox in list(self._sandboxes):
            await sandbox.aclose()
        if self._removals:
            await asyncio.wait(self._removals)
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._zygote.wait()
        except TimeoutError:
            self._zygote.kill()
            await self._zygote.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _group(self, spec: Spec) -> Group | None:
        """Make the group that bounds a sandbox; None if nothing asks for one or this host has none to give."""
        if not self._groups.serving(spec.limits):
            return None
        try:
            return self._groups.make(f"{next(self._numbers)}.{spec.name}", spec.limits)
        except OSError as error:
            reason = f"cgroup v{self._groups.version}: {error.filename}: {error.strerror}."
            raise SandboxUnavailable(reason, layer="limits", hint=cgroups.HINT) from error

    def _remove(self, group: Group | None) -> None:
        """Remove a group, now or as soon as the kernel has done with its last process."""
        if group is not None and not group.remove():
            task = asyncio.get_running_loop().create_task(_remove_later(group))
            self._removals.add(task)
            task.add_done_callback(self._removals.discard)

    async def _greet(self, python: str) -> None:
        both: list[asyncio.Future[Any]] = [self._hello, self._ended]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._hello.done():
            code = await self._zygote.wait()
            raise SandboxUnavailable(
                f"{python} ended with code {code} at its start.", layer="zygote", hint=_unreadable(python)
            )
        hello = self._hello.result()
        if hello["op"] == "failed":
            raise SandboxUnavailable.from_wire(hello)
        self._as_root = hello["as_root"]

    async def _fork(self, message: Mapping[str, Any], fds: Sequence[int]) -> Child:
        """Have the zygote fork; the pid of its child and the future of that one's exit code."""
        number = next(self._numbers)
        answer: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._channel.send({**message, "id": number}, fds)
            async with asyncio.timeout(_OPEN_SECONDS):
                return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._signal(answer.result()[0], signal.SIGKILL)  # forked between the answer and the next step here
            raise
        except ConnectionError as error:
            raise SandboxUnavailable("the zygote is gone.", layer="zygote") from error
        except TimeoutError as late:
            raise SandboxUnavailable(f"no answer in {_OPEN_SECONDS:.0f} s.", layer="zygote") from late
        finally:
            del self._answers[number]

    def _receive(self, message: dict[str, Any], _: list[int]) -> None:
        kind = message["op"]
        answer = self._answers.get(message.get("id", 0))
        if kind == "exited":
            self._children.pop(message["pid"]).set_result(message["code"])
        elif kind == "forked":
            death = self._children[message["pid"]] = asyncio.get_running_loop().create_future()
            if answer is None or answer.done():  # whoever asked was cancelled
                self._signal(message["pid"], signal.SIGKILL)
            else:
                answer.set_result((message["pid"], death))
        elif answer is None:
            self._hello.set_result(message)
        elif not answer.done():
            answer.set_exception(SandboxUnavailable.from_wire(message))

    def _signal(self, pid: int, number: int) -> None:
        """Through the zygote, which alone knows that the pid is still the same process."""
        if pid in self._children:
            with contextlib.suppress(ConnectionError):
                self._channel.send({"op": "signal", "pid": pid, "signal": int(number)})

    def _lost(self) -> None:
        """Settle everything: the zygote is gone, and the kernel kills what it forked."""
        if self._ended.done():
            return
        self._ended.set_result(None)
        for death in self._children.values():
            death.set_result(-signal.SIGKILL)
        self._children.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(SandboxUnavailable("the zygote is gone.", layer="zygote"))


def _prepare(spec: Spec) -> None:
    """Make the workspace if it is missing; as root it belongs to the sandbox's host uid."""
    owner = spec.host_uid
    if owner is not None and not namespaces.is_mapped(owner):
        hint = "Give this container a range of uids (subuid), or run the worker as an ordinary user."
        raise SandboxUnavailable(f"host uid {owner} is not one of this container's.", layer="user", hint=hint)
    if spec.workspace_mode == "off":
        return
    try:
        spec.workspace.parent.mkdir(parents=True, exist_ok=True)
        if not spec.workspace.exists():
            spec.workspace.mkdir(mode=0o700)
            if owner is not None:
                os.chown(spec.workspace, owner, owner)
    except OSError as error:
        raise SandboxUnavailable(f"{spec.workspace}: {error.strerror}.", layer="workspace") from error
    if not spec.workspace.is_dir():
        raise SandboxUnavailable(f"{spec.workspace} is not a folder.", layer="workspace")


def _place(group: Group | None, pid: int) -> None:
    if group is None:
        return
    try:
        group.place(pid)
    except ProcessLookupError:
        return  # dead already, which is told otherwise
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}."
        raise SandboxUnavailable(reason, layer="limits", hint=cgroups.HINT) from error


async def _remove_later(group: Group) -> None:
    for _ in range(_REMOVALS):
        await asyncio.sleep(_REMOVAL_SECONDS)
        if group.remove():
            return


def _unreadable(python: str) -> str:
    """Say what to do if this user cannot read the Python that is to be forked, or the sources it runs."""
    for path in (Path(python), Path(sys.base_prefix), _SOURCES / "workers"):
        if not os.access(path, os.R_OK | os.X_OK):
            who = f"uid {os.geteuid()} cannot read {path}"
            return f"{who}: use a Python and a checkout that this user can read, such as /usr/bin/python3."
    return ""
