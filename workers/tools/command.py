"""exec: a shell command, its output as it comes."""

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.tools.call import Call, Result, ToolError
from workers.tools.group import kill_others, others, tell
from workers.tools.paths import missing, resolve, shown

KILL_SECONDS = 2.0
"""Between the polite signal and the last one."""
AFTER_SECONDS = 0.5
"""How long output of left-over children is read once the command itself has ended."""
READ_BYTES = 65536
EMIT_BYTES = 256 * 1024
"""Most bytes passed on as they come; the result still has the end of the output."""


@dataclass
class Kept:
    """The begin and the end of an output; the middle is counted and let go."""

    most: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    total: int = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.total += len(chunk)
        room = self.most // 2 - len(self.head)
        if room > 0:
            self.head += chunk[:room]
            chunk = chunk[room:]
        self.tail += chunk
        if len(self.tail) > self.most:
            del self.tail[: -(self.most // 2)]

    def text(self) -> str:
        """Return it as text, with what was cut."""
        end = bytes(self.tail[-(self.most - self.most // 2) :])
        cut = self.total - len(self.head) - len(end)
        middle = f"\n[… {cut} of {self.total} bytes were cut here …]\n".encode() if cut > 0 else b""
        return (bytes(self.head) + middle + end).decode("utf-8", "replace")


@dataclass
class Stream:
    """Passes bytes on as text, whole characters at a time, up to EMIT_BYTES."""

    emit: Callable[[str], None]
    left: int = EMIT_BYTES

    def __post_init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, chunk: bytes) -> None:
        """Pass on the next bytes."""
        if self.left <= 0:
            return
        text = self.decoder.decode(chunk[: self.left])
        self.left -= len(chunk)
        if self.left <= 0:
            text += "\n[More output comes; it is not shown live.]\n"
        if text:
            self.emit(text)


def execute(call: Call) -> Result:
    """Run `command` in `/bin/sh`; return its output and exit code. It and what it leaves running is ended."""
    command = call.text("command")
    if not command.strip():
        raise ToolError("`command` is empty.")
    if "\0" in command:
        raise ToolError("`command` holds a zero byte.")
    asked = call.whole("timeout_seconds", int(call.limits.seconds), 1, 86_400)
    seconds = min(float(asked), call.limits.seconds)
    folder = resolve(call.text("cwd", "."))
    if not folder.is_dir():
        raise ToolError(f"`cwd` {shown(folder)} is not a folder.") if folder.exists() else missing(folder)
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise ToolError(f"The command could not be started: {error.strerror or error}.") from error
    kept, stream = Kept(call.limits.output_bytes), Stream(call.emit)
    try:
        in_time = follow(process, kept, stream, time.monotonic() + seconds)
    finally:
        end(process)
    return Result(*report(process.returncode, kept.text(), None if in_time else seconds))


def follow(process: "subprocess.Popen[bytes]", kept: Kept, stream: Stream, deadline: float) -> bool:
    """Read output until the command ends, and a moment longer. False where the deadline came first."""
    if process.stdout is None:
        return True
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    watch = os.pidfd_open(process.pid)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        selector.register(watch, selectors.EVENT_READ)
        try:
            while True:
                left = deadline - time.monotonic()
                ready = {key.fd for key, _ in selector.select(max(left, 0))} if left > 0 else set()
                if not ready:
                    ended = process.poll() is not None
                    drain(pipe, kept, stream)
                    return ended
                open_still = pipe not in ready or read(pipe, kept, stream)
                if not open_still:
                    selector.unregister(pipe)
                if watch in ready:
                    if not open_still:
                        return True
                    selector.unregister(watch)
                    deadline = min(deadline, time.monotonic() + AFTER_SECONDS)
                    process.poll()
                if not selector.get_map():
                    return True
        finally:
            os.close(watch)


def read(pipe: int, kept: Kept, stream: Stream) -> bool:
    """Read once. False at the end."""
    try:
        chunk = os.read(pipe, READ_BYTES)
    except BlockingIOError:
        return True
    kept.add(chunk)
    stream.add(chunk)
    return bool(chunk)


def drain(pipe: int, kept: Kept, stream: Stream) -> None:
    """Read what is there by now, within reason: a command that writes without end is not waited for."""
    before = -1
    stop = kept.total + READ_BYTES * 16
    while before != kept.total < stop:
        before = kept.total
        read(pipe, kept, stream)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Leave no process of the command behind: ask politely for a moment, then kill."""
    if process.poll() is None:
        tell(others(), signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_SECONDS)
    kill_others()
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def report(code: int, text: str, late: float | None) -> tuple[str, bool]:
    """Return what the model reads, and whether the call failed."""
    body = text if not text or text.endswith("\n") else text + "\n"
    if late is not None:
        hint = "Ask for a longer timeout_seconds, or run it in smaller steps."
        return f"{body}[Killed after {late:g} s. {hint}]", True
    if code < 0:
        return f"{body}[Ended by signal {signal.Signals(-code).name}.]", True
    if code:
        return f"{body}[Exit code {code}.]", True
    return f"{body}[Exit code 0{'' if text else ', no output'}.]", False
