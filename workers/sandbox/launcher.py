"""Opens sandboxes and forks sidecars, both from one zygote, and hands them on to the program that follows this one."""

import asyncio
import itertools
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

from workers.sandbox import cgroups, entry, namespaces, wire
from workers.sandbox.cgroups import Groups
from workers.sandbox.child import Child
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.group import Group
from workers.sandbox.handover import Handover, version
from workers.sandbox.nursery import Nursery
from workers.sandbox.process import Process
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Entry, Spec

_OPEN_SECONDS: Final = 10.0
_END_SECONDS: Final = 10.0
_REMOVALS: Final = 200  # attempts to remove a group whose last process is just going
_REMOVAL_SECONDS: Final = 0.01


class Launcher:
    """One zygote and everything forked from it.

    When the zygote is gone (`wait` returns) so are its sandboxes: start another. It is gone, too, with the thread that
    started it.
    """

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._groups = Groups.find(nursery.zygote.pid)
        self._sandboxes: set[Sandbox] = set()
        self._removals: set[asyncio.Task[None]] = set()
        self._handed_over = False

    @classmethod
    async def start(
        cls, preload: Sequence[str] = (), *, env: Mapping[str, str] | None = None, python: str = sys.executable
    ) -> Self:
        """Start the zygote, which imports the modules of `preload`.

        `env` is all that sidecars find in their environment besides PATH and LANG: no secrets. SandboxUnavailable if
        Python cannot be started or a module cannot be imported.
        """
        return cls(await Nursery.start(preload, env or {}, python))

    @classmethod
    def adopt(cls, handover: Handover) -> Self:
        """Take over a zygote and its sandboxes from the program that was in this process before, by `handover`.

        The descriptors are the launcher's from now on. SandboxUnavailable if that was another version of these
        programs; then they are closed, and everything ends.
        """
        state, fds = handover.state, handover.fds
        try:
            handover.check()
            zygote = Child(state["zygote"])
        except BaseException:
            handover.close()
            raise
        nursery = Nursery(zygote, socket.socket(fileno=fds[state["control"]]))
        nursery.as_root = state["as_root"]
        nursery.numbers = itertools.count(state["next"])
        launcher = cls(nursery)
        for one in state["sandboxes"]:
            death = nursery.adopt(one["pid"])
            launcher._know(Sandbox.adopt(one, fds, death, launcher._killing(one["pid"])), death)
        return launcher

    @property
    def pid(self) -> int:
        """The zygote's pid."""
        return self._nursery.zygote.pid

    @property
    def as_root(self) -> bool:
        """Whether sandboxes are launched by root, each with a host uid of its own."""
        return self._nursery.as_root

    @property
    def sandboxes(self) -> Mapping[str, Sandbox]:
        """Those that live, by name. Of several by one name it is any."""
        return {sandbox.name: sandbox for sandbox in self._sandboxes if sandbox.ended is None}

    async def open(self, spec: Spec) -> Sandbox:
        """Open a sandbox with every layer on and probed; SandboxUnavailable names the layer that cannot be had."""
        if self.as_root and spec.host_uid is None:
            raise ValueError("host_uid is needed when the worker runs as root.")
        if not self.as_root:
            spec = replace(spec, host_uid=None)
        _prepare(spec)
        group = self._group(spec)
        ours, theirs = wire.pair()
        with theirs:
            try:
                message = {"op": "sandbox", "spec": spec.to_wire(), "grouped": group.controllers if group else []}
                pid, death = await self._nursery.fork(message, [theirs.fileno()])
            except BaseException:
                ours.close()
                self._remove(group)
                raise
        sandbox = Sandbox(spec, ours, pid, death, self._killing(pid), group=group)
        self._know(sandbox, death)
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                if group is not None:  # in a thread: the kernel may take milliseconds, in which pid 1 does its own
                    await asyncio.to_thread(_place, group, pid)
                    sandbox.placed()
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
        pid, death = await self._nursery.fork(message, list(places.values()))
        process = Process(pid, lambda number: self._nursery.signal(pid, number))
        death.add_done_callback(lambda done: process.ended(done.result()))
        return process

    async def handover(self) -> Handover:
        """End all sidecars, give up the zygote and its sandboxes without ending them, and describe them for `adopt`.

        What runs in a sandbox goes on, but nobody will know its processes: clear it before or after. Neither this
        launcher nor its sandboxes are of use any more, and what one adopts is another object, also in this program.
        Take listeners out of the event loop before. SandboxUnavailable if something is just being opened.
        """
        if self._nursery.busy or any(not sandbox.report.layers for sandbox in self._sandboxes):
            raise SandboxUnavailable("something is just being opened.", layer="handover")
        kept = {sandbox.pid for sandbox in self._sandboxes}
        sidecars = {pid: death for pid, death in self._nursery.children.items() if pid not in kept}
        for pid in sidecars:
            self._nursery.signal(pid, signal.SIGKILL)
        if sidecars:
            await asyncio.wait(sidecars.values(), timeout=_END_SECONDS)
        fds: list[int] = []
        state: dict[str, Any] = {"version": version(), "zygote": self.pid, "as_root": self.as_root}
        state |= {"control": 0, "next": next(self._nursery.numbers)}
        try:
            fds.append(self._nursery.release())
        except (BufferError, ConnectionError) as error:
            raise SandboxUnavailable(str(error), layer="handover") from error
        living = (sandbox.release(fds) for sandbox in self._sandboxes if sandbox.ended is None)
        state["sandboxes"] = [described for described in living if described]
        self._sandboxes.clear()
        self._handed_over = True
        return Handover(state, fds)

    async def wait(self) -> None:
        """Wait until the zygote is gone."""
        await self._nursery.wait()

    async def aclose(self) -> None:
        """End every sandbox and sidecar, then the zygote; nothing, after a handover. May be called twice."""
        if self._handed_over:
            return
        await self._nursery.aclose()
        for sandbox in list(self._sandboxes):
            await sandbox.aclose()
        if self._removals:
            await asyncio.wait(self._removals)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _know(self, sandbox: Sandbox, death: asyncio.Future[int]) -> None:
        self._sandboxes.add(sandbox)
        death.add_done_callback(lambda _: self._sandboxes.discard(sandbox))
        death.add_done_callback(lambda _: self._remove(sandbox.group))

    def _killing(self, pid: int) -> Callable[[], None]:
        return lambda: self._nursery.signal(pid, signal.SIGKILL)

    def _group(self, spec: Spec) -> Group | None:
        """Make the group that bounds a sandbox; None if nothing asks for one or this host has none to give."""
        if not self._groups.serving(spec.limits):
            return None
        try:
            return self._groups.make(f"{next(self._nursery.numbers)}.{spec.name}", spec.limits)
        except OSError as error:
            reason = f"cgroup v{self._groups.version}: {error.filename}: {error.strerror}."
            raise SandboxUnavailable(reason, layer="limits", hint=cgroups.HINT) from error

    def _remove(self, group: Group | None) -> None:
        """Remove a group, now or as soon as the kernel has done with its last process."""
        if group is not None and not group.remove():
            task = asyncio.get_running_loop().create_task(_remove_later(group))
            self._removals.add(task)
            task.add_done_callback(self._removals.discard)


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


def _place(group: Group, pid: int) -> None:
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
