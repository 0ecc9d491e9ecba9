"""The worker's side of the zygote: what it is asked to fork, and how that ended."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from workers.sandbox import wire
from workers.sandbox.channel import Channel
from workers.sandbox.child import Child
from workers.sandbox.errors import SandboxUnavailable

_START_SECONDS: Final = 30.0
_FORK_SECONDS: Final = 10.0
_END_SECONDS: Final = 10.0
_SOURCES: Final = Path(__file__).parents[2]
# By -c and not -m, so that it also runs from a checkout which is not installed; -I so that nothing in the worker's
# environment, folder or home decides what is imported.
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from workers.sandbox.zygote import main; main(sys.argv[1:])"
)

Forked = tuple[int, asyncio.Future[int]]  # the pid of what the zygote forked, and its exit code in time


class Nursery:
    """One zygote and the children it has forked. `as_root`: they are launched by root."""

    def __init__(self, zygote: Child, control: socket.socket) -> None:
        self.zygote = zygote
        self.as_root = False
        self.numbers = itertools.count(1)
        loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._answers: dict[int, asyncio.Future[Forked]] = {}
        self._children: dict[int, asyncio.Future[int]] = {}
        self._channel = Channel(control, self._receive, self._lost)

    @classmethod
    async def start(cls, preload: Sequence[str], env: Mapping[str, str], python: str) -> Self:
        """Start the zygote, which imports the modules of `preload`. SandboxUnavailable if it cannot."""
        ours, theirs = wire.pair()
        argv = [python, "-I", "-c", _BOOT, str(_SOURCES), "3", str(os.getpid()), *preload]
        with theirs:
            try:
                zygote = Child.start(argv, {"PATH": os.defpath, "LANG": "C.UTF-8", **env}, theirs.fileno())
            except OSError as error:
                ours.close()
                raise SandboxUnavailable(
                    f"{python}: {error.strerror}.", layer="zygote", hint=_unreadable(python)
                ) from error
        nursery = cls(zygote, ours)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await nursery._greet(python)
        except BaseException:
            await nursery.aclose()
            raise
        return nursery

    @property
    def busy(self) -> bool:
        """Whether something is just being forked."""
        return bool(self._answers)

    @property
    def children(self) -> Mapping[int, asyncio.Future[int]]:
        """The living children and the exit code that each will have."""
        return self._children

    async def fork(self, message: Mapping[str, Any], fds: Sequence[int]) -> Forked:
        """Have the zygote fork; the pid of its child and the future of that one's exit code. SandboxUnavailable."""
        number = next(self.numbers)
        answer: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._channel.send({**message, "id": number}, fds)
            async with asyncio.timeout(_FORK_SECONDS):
                return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self.signal(answer.result()[0], signal.SIGKILL)  # forked between the answer and the next step here
            raise
        except ConnectionError as error:
            raise SandboxUnavailable("the zygote is gone.", layer="zygote") from error
        except TimeoutError as late:
            raise SandboxUnavailable(f"no answer in {_FORK_SECONDS:.0f} s.", layer="zygote") from late
        finally:
            del self._answers[number]

    def signal(self, pid: int, number: int) -> None:
        """Signal a child, through the zygote, which alone knows that the pid is still the same process."""
        if pid in self._children:
            with contextlib.suppress(ConnectionError):
                self._channel.send({"op": "signal", "pid": pid, "signal": int(number)})

    def adopt(self, pid: int) -> asyncio.Future[int]:
        """Know a child that the zygote has had before; the future of its exit code."""
        death = self._children[pid] = asyncio.get_running_loop().create_future()
        return death

    def release(self) -> int:
        """Give up the zygote without ending it, and its control socket. BufferError, ConnectionError if it is busy."""
        control = self._channel.detach()
        self.zygote.release()
        self._children.clear()
        return control

    async def wait(self) -> None:
        """Wait until the zygote is gone."""
        await asyncio.shield(self._ended)

    async def aclose(self) -> None:
        """End every child, then the zygote. May be called twice."""
        deaths = list(self._children.values())
        for pid in list(self._children):
            self.signal(pid, signal.SIGKILL)
        if deaths:
            await asyncio.wait(deaths, timeout=_END_SECONDS)
        self._channel.close()  # which ends it
        self._lost()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self.zygote.wait()
        except TimeoutError:
            self.zygote.kill()
            await self.zygote.wait()

    async def _greet(self, python: str) -> None:
        both: list[asyncio.Future[Any]] = [self._hello, self._ended]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._hello.done():
            code = await self.zygote.wait()
            raise SandboxUnavailable(
                f"{python} ended with code {code} at its start.", layer="zygote", hint=_unreadable(python)
            )
        hello = self._hello.result()
        if hello["op"] == "failed":
            raise SandboxUnavailable.from_wire(hello)
        self.as_root = hello["as_root"]

    def _receive(self, message: dict[str, Any], _: list[int]) -> None:
        kind = message["op"]
        answer = self._answers.get(message.get("id", 0))
        if kind == "exited":
            if death := self._children.pop(message["pid"], None):
                death.set_result(message["code"])
        elif kind == "forked":
            death = self.adopt(message["pid"])
            if answer is None or answer.done():  # whoever asked was cancelled
                self.signal(message["pid"], signal.SIGKILL)
            else:
                answer.set_result((message["pid"], death))
        elif answer is None:
            self._hello.set_result(message)
        elif not answer.done():
            answer.set_exception(SandboxUnavailable.from_wire(message))

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


def _unreadable(python: str) -> str:
    """Say what to do if this user cannot read the Python that is to be forked, or the sources it runs."""
    for path in (Path(python), Path(sys.base_prefix), _SOURCES / "workers"):
        if not os.access(path, os.R_OK | os.X_OK):
            who = f"uid {os.geteuid()} cannot read {path}"
            return f"{who}: use a Python and a checkout that this user can read, such as /usr/bin/python3."
    return ""
