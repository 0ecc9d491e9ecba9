"""A terminal with a program in it, for tests that type and look."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>()][0-9A-B]?)")


class Terminal:
    """Starts a program as the leader of a session whose terminal this is."""

    def __init__(self, argv: Sequence[str | bytes], env: dict[str, str], cwd: str, *, rows: int = 40) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("launch.py")), *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=env | {"PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
        )
        self._slave = slave
        self.seen = ""
        self._from = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._master)
        os.close(self._slave)

    @property
    def slave(self) -> int:
        return self._slave

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, as a window manager does, and tell the program."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, words: str, *, seconds: float = 30) -> str:
        """Read on until these words stand there, behind those last waited for; give what was read."""
        deadline = time.monotonic() + seconds
        while (found := self.plain.find(words, self._from)) < 0:
            ready, _, _ = select.select([self._master], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise AssertionError(f"{words!r} did not come; there was {self.plain[self._from :]!r}")
            self.seen += os.read(self._master, 65_536).decode(errors="replace")
        start, self._from = self._from, found + len(words)
        return self.plain[start : self._from]

    @property
    def plain(self) -> str:
        """What was written, without escape sequences."""
        return _SEQUENCE.sub("", self.seen)

    @property
    def echoes(self) -> bool:
        """Whether the terminal echoes what is typed."""
        flags: int = termios.tcgetattr(self._slave)[3]
        return bool(flags & termios.ECHO)
