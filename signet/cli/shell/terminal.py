"""The person's terminal while a program in a sandbox has it: raw, and as it was again whatever happens."""

import os
import sys
import termios
import tty
from types import TracebackType
from typing import Self

_MOST = 1000


class RawTerminal:
    """Raw while the block lasts. Nothing is done where standard input is no terminal."""

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._before: list[int | list[bytes | int]] | None = None

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._fd)
        self.again()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def again(self) -> None:
        """Make it raw, also after somebody else had it."""
        tty.setraw(self._fd, termios.TCSADRAIN)


def size() -> tuple[int, int]:
    """Give its rows and columns, each 1-1000; 24 and 80 where it does not say."""
    try:
        found = os.get_terminal_size(sys.stdin.fileno())
    except OSError:
        return 24, 80
    return min(max(found.lines, 1), _MOST), min(max(found.columns, 1), _MOST)


def is_terminal() -> bool:
    """Tell whether a person types and looks here."""
    return sys.stdin.isatty() and sys.stdout.isatty()
