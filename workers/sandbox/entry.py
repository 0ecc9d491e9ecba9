"""A preloaded function run in a forked process, without exec: so runtimes, tools and sidecars start in milliseconds."""

import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from workers.sandbox import linux, terminal

PLACES: Final = range(32)  # the numbers an fd may be placed at
# Above those, so that placing one cannot overwrite another.
FIRST_HIGH_FD: Final = 64
SIGNALS_TO_RESET: Final = tuple(
    number for number in signal.Signals if number < signal.SIGRTMIN and number not in {signal.SIGKILL, signal.SIGSTOP}
)
"""Every one that can be ignored: whoever started the worker (nohup, a shell's `&`) may have left some so."""


def resolve(target: str) -> Callable[[], Any]:
    """Find the function of `module:function`; LookupError if the module was not preloaded or has no such function."""
    module, _, name = target.partition(":")
    if module not in sys.modules:
        raise LookupError(f"{module} was not preloaded.")
    function = getattr(sys.modules[module], name, None)
    if function is None:
        raise LookupError(f"{module} has no function {name}.")
    return function  # type: ignore[no-any-return]  # a module's attribute: what it takes is seen when it is called


def checked(fds: Mapping[int, int]) -> dict[int, int]:
    """Give back the places (number: fd) if each can be had; ValueError otherwise."""
    if any(number not in PLACES for number in fds):
        raise ValueError(f"fds can be placed at 0 to {PLACES.stop - 1} only, not {sorted(fds)}.")
    return dict(fds)


def lift(fds: Sequence[int]) -> list[int]:
    """Move fds to high numbers, close-on-exec; the originals are closed."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_HIGH_FD) for fd in fds]
    for fd in fds:
        os.close(fd)
    return high


def run(
    function: Callable[[], Any],
    *,
    places: Mapping[int, int],
    env: Mapping[str, str],
    name: str,
    on_terminal: bool = False,
) -> NoReturn:
    """Turn this freshly forked process into one that runs `function`, and end it with what that returns.

    It has a session of its own (with the terminal that is placed at 0, if `on_terminal`), `places` (number: high fd)
    besides 0, 1 and 2 and nothing else open, default signals and the environment `env`. Never returns.
    """
    code = 1
    try:
        os.setsid()
        for number, fd in places.items():
            os.dup2(fd, number)
        linux.close_all_but({0, 1, 2, *places})
        if on_terminal:
            terminal.control(0)
        for number in SIGNALS_TO_RESET:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = [name]
        linux.prctl(linux.PR_SET_NAME, name.rpartition(":")[0].rpartition(".")[2].encode()[:15] + b"\0")
        code = _exit_code(function)
    except BaseException:  # noqa: BLE001 - the last frame of the process: whatever it was goes to its stderr
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _exit_code(function: Callable[[], Any]) -> int:
    try:
        result = function()
    except SystemExit as stop:
        result = stop.code
    if isinstance(result, str):
        sys.stderr.write(result + "\n")
        return 1
    return int(result or 0) & 0xFF


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the reader is gone
            continue
