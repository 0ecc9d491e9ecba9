"""The terminal's echo, off while something is drawn: what is typed meanwhile waits for the next prompt, unseen."""

import sys
import termios


class Echo:
    """Turns the echo off until `restore`. Does nothing where standard input is no terminal."""

    def __init__(self) -> None:
        self._before: list[int | list[bytes | int]] | None = None
        if sys.stdin.isatty():
            before = termios.tcgetattr(sys.stdin)
            flags = before[3]
            if isinstance(flags, int):
                changed = [*before[:3], flags & ~termios.ECHO, *before[4:]]
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, changed)
                self._before = before

    def restore(self) -> None:
        """Put it back as it was."""
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
            self._before = None
