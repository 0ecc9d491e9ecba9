"""How a process begins and ends: ready said once, one signal drains, a second leaves, it dies with its parent."""

import asyncio
import ctypes
import os
import signal
import socket
from collections.abc import Awaitable, Callable

from signet.kit import log

_PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """Raised when a process cannot start. The message says what is wrong, where, and what would be right."""


def notify(state: str, status: str = "") -> None:
    """Tell whoever started this process, over systemd's NOTIFY_SOCKET, for example `READY=1`; nobody need listen."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    lines = [state, f"MAINPID={os.getpid()}", *([f"STATUS={status}"] if status else [])]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(1)
        try:
            sender.sendto("\n".join(lines).encode(), address)
        except OSError:
            return  # the listener is gone; its absence is not our failure


def die_with_parent(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Be sent a signal when the parent process dies. `parent` is its pid as it gave it, in case it died already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


async def until_signalled(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run `main` with an event that the first SIGTERM or SIGINT sets; a second leaves at once with 128 + its number."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        notify("STOPPING=1")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard, number)
    try:
        return await main(stop)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def run_until_signalled(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Do the same from synchronous code. Ends with its parent where SIGNET_PARENT holds that one's pid.

    A StartError ends it with 1: the message goes to the log and, as STATUS, to whoever listens.
    """
    log.capture()
    if parent := os.environ.get("SIGNET_PARENT"):
        die_with_parent(int(parent))
    try:
        return asyncio.run(until_signalled(main))
    except StartError as error:
        return _refuse(str(error))
    except BaseExceptionGroup as group:
        known, unknown = group.split(StartError)
        if known is None or unknown is not None:
            raise
        return _refuse("; ".join(str(error) for error in _leaves(known)))


def _refuse(message: str) -> int:
    log.get("start").error("start_failed", message=message)
    notify("ERRNO=1", message)
    return 1


def _leaves(group: BaseExceptionGroup[StartError]) -> list[StartError]:
    found: list[StartError] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
