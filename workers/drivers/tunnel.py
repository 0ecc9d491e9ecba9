"""A sandbox's control socket over a byte stream: each message goes to the far side, its descriptors are remade there.

Both ends run this. A descriptor that only reads becomes a pipe whose bytes come from here, one that only writes a pipe
whose bytes come back, a connected socket a socket, and a listening one a listening one, at which connections arrive
that were accepted here. A terminal becomes a terminal.
"""

import asyncio
import fcntl
import itertools
import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from workers.drivers import frames, size
from workers.drivers.frames import BadFrame, Kind
from workers.drivers.outward import Outward
from workers.drivers.stream import Stream
from workers.sandbox import wire
from workers.sandbox.channel import Channel

CHANNELS: Final = 4096
"""Descriptors and connections at once; more is a fault of the other side."""

_READ_BYTES: Final = 1024 * 1024
_LISTENER: Final = "listener"
_TERMINAL: Final = "terminal"
# What is done with a descriptor here (read, write), and with its counterpart there.
_FLOWS: Final = {"in": (True, False), "out": (False, True), "both": (True, True), _TERMINAL: (True, True)}
_MIRROR: Final = {"in": "out", "out": "in", "both": "both", _TERMINAL: _TERMINAL}


@dataclass(frozen=True, slots=True)
class Pipes:
    """The byte stream: where it is read and where it is written. Whoever makes the tunnel gives them away."""

    inward: int
    outward: int


class Tunnel:
    """One end. It owns `control`, whose messages it carries, and `pipes`.

    `first` is 1 on the host and 2 inside, so that the two never choose the same channel. `listen` makes the listening
    socket and the address to dial for a listener of the far side; without it, none may come. `on_end` is called once,
    when either side is gone or the far side talks nonsense.
    """

    def __init__(
        self,
        control: socket.socket,
        pipes: Pipes,
        *,
        first: int,
        on_end: Callable[[], None],
        listen: Callable[[], tuple[socket.socket, str]] | None = None,
    ) -> None:
        os.set_blocking(pipes.inward, False)
        os.set_blocking(pipes.outward, False)
        self._inward = pipes.inward
        self._numbers = itertools.count(first, 2)
        self._parity = first % 2
        self._listen = listen
        self._on_end = on_end
        self._streams: dict[int, Stream] = {}
        self._listeners: dict[int, socket.socket] = {}  # of this side, accepted here
        self._dials: dict[int, str] = {}  # of the far side, dialled here
        self._terminals: dict[int, int] = {}  # of a process of this side, by the id of its start
        self._watches: dict[int, size.Watch] = {}
        self._buffer = bytearray()
        self._open = True
        self._loop = asyncio.get_running_loop()
        self._out = Outward(pipes.outward, partial(self._pause, paused=False), self.close)
        self._control = Channel(control, self._tell, self.close)
        self._loop.add_reader(self._inward, self._hear)

    def close(self) -> None:
        """Close everything. May be called twice."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._inward)
        os.close(self._inward)
        self._control.close()
        self._out.close()
        for watch in self._watches.values():
            watch.close()
        for stream in self._streams.values():
            stream.close()
        for listener in self._listeners.values():
            self._loop.remove_reader(listener)
            listener.close()
        self._on_end()

    def _tell(self, message: Mapping[str, Any], fds: list[int]) -> None:
        """Carry a message of this side to the other."""
        told = []
        for fd in fds:
            kind, number = _kind(fd), next(self._numbers)
            told.append([number, kind])
            if kind == _TERMINAL:
                self._terminals[message["id"]] = number
            if kind == _LISTENER:
                self._offer(number, socket.socket(fileno=fd))
            else:
                self._add(number, fd, kind)
        if message["op"] == "exited":
            self._hang_up(message["id"])
        payload = json.dumps({"message": message, "fds": told}, separators=(",", ":")).encode()
        self._out.send(frames.encode(Kind.MESSAGE, 0, payload))

    def _hang_up(self, process: int) -> None:
        """End a terminal with the leader of its session, as Linux does; gVisor leaves it open."""
        stream = self._streams.get(self._terminals.pop(process, 0))
        if stream:
            stream.exhaust()

    def _hear(self) -> None:
        try:
            data = os.read(self._inward, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._buffer += data
        try:
            for kind, channel, payload in frames.take(self._buffer):
                self._take(kind, channel, payload)
                if not self._open:
                    return
        except (BadFrame, KeyError, TypeError, ValueError, OSError):  # nothing the far side says may end this one
            self.close()

    def _take(self, kind: Kind, channel: int, payload: bytes) -> None:
        if kind == Kind.MESSAGE:
            self._deliver(json.loads(payload))
            return
        if kind == Kind.ACCEPTED:
            self._dial(channel, frames.counted(payload))
            return
        stream = self._streams.get(channel)
        if stream is None:  # it ended here while this was on its way
            return
        if kind == Kind.DATA:
            stream.data(payload)
        elif kind == Kind.END:
            stream.end()
        elif kind == Kind.STOP:
            stream.stop()
        elif kind == Kind.SIZE:
            size.apply(stream.fd, payload)
        else:
            stream.credit(frames.counted(payload))

    def _deliver(self, told: Mapping[str, Any]) -> None:
        """Give a message of the far side to this one, with descriptors of its own."""
        passed: list[int] = []
        try:
            if len(told["fds"]) > wire.FDS:
                raise BadFrame("too many descriptors")
            for number, kind in told["fds"]:
                passed.append(self._remake(self._foreign(number), kind))
            self._control.send(told["message"], passed)
        finally:
            for fd in passed:
                os.close(fd)

    def _remake(self, number: int, kind: str) -> int:
        if kind == _LISTENER:
            if self._listen is None:
                raise BadFrame("a listener on the wrong side")
            listener, self._dials[number] = self._listen()
            return listener.detach()
        ours, theirs = _made(_MIRROR[kind])
        self._add(number, ours, _MIRROR[kind])
        if kind == _TERMINAL:
            self._watches[number] = size.Watch(ours, partial(self._frame, number, Kind.SIZE))
        return theirs

    def _offer(self, number: int, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._listeners[number] = listener
        self._loop.add_reader(listener, self._accept, number, listener)

    def _accept(self, number: int, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            channel = next(self._numbers)
            self._out.send(frames.encode(Kind.ACCEPTED, channel, frames.count(number)))
            self._add(channel, connection.detach(), "both")

    def _dial(self, channel: int, listener: int) -> None:
        """Connect a connection of the far side to whoever accepts on its listener here."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.setblocking(False)
            connection.connect(self._dials[listener])
        except OSError:  # nobody accepts, or too many wait
            connection.close()
            self._foreign(channel)
            self._out.send(frames.encode(Kind.END, channel) + frames.encode(Kind.STOP, channel))
        else:
            self._add(self._foreign(channel), connection.detach(), "both")

    def _foreign(self, number: int) -> int:
        if number % 2 == self._parity or number in self._streams:
            raise BadFrame("a channel that is not theirs to choose")
        return number

    def _add(self, number: int, fd: int, kind: str) -> None:
        if len(self._streams) >= CHANNELS:
            os.close(fd)
            raise BadFrame("too many channels")
        reads, writes = _FLOWS[kind]
        stream = Stream(fd, partial(self._frame, number), partial(self._done, number), reads=reads, writes=writes)
        self._streams[number] = stream
        if self._out.full:
            stream.pause(paused=True)

    def _done(self, number: int) -> None:
        del self._streams[number]
        if watch := self._watches.pop(number, None):
            watch.close()

    def _frame(self, number: int, kind: Kind, payload: bytes) -> None:
        full = self._out.full
        self._out.send(frames.encode(kind, number, payload))
        if not full and self._out.full:
            self._pause(paused=True)

    def _pause(self, *, paused: bool) -> None:
        for stream in self._streams.values():
            stream.pause(paused=paused)


def _kind(fd: int) -> str:
    """Say what is to be done with a descriptor of this side: bytes go in to the far side, come out of it, or both."""
    if stat.S_ISSOCK(os.fstat(fd).st_mode):
        with socket.socket(fileno=os.dup(fd)) as sock:
            return _LISTENER if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) else "both"
    if os.isatty(fd):
        return _TERMINAL
    mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    return {os.O_RDONLY: "in", os.O_WRONLY: "out"}.get(mode, "both")


def _made(kind: str) -> tuple[int, int]:
    """Make a pair of which the first end is used here as `kind` says, and the second is passed on."""
    if kind == _TERMINAL:
        return size.make()
    if kind == "both":
        ours, theirs = socket.socketpair()
        return ours.detach(), theirs.detach()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    return (reading, writing) if kind == "in" else (writing, reading)
