"""The part of the probe which looks what a process could do: its powers, calls, a terminal's injection, the tier."""

import errno
import fcntl
import os
import termios
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from workers.sandbox import attempts, linux, namespaces, seccomp, terminal
from workers.sandbox.attempts import refused
from workers.sandbox.report import Layer, State, flag
from workers.sandbox.spec import WORKSPACE, Spec
from workers.sandbox.terminal import Terminal

_DENIED: Final = {errno.EACCES, errno.EPERM}
# EIO: a kernel where nobody may (sysctl dev.tty.legacy_tiocsti = 0).
_UNTYPED: Final = {errno.EPERM, errno.EIO}


def capabilities(status: Mapping[str, str]) -> Layer:
    """See that there is no capability. `status` is what the kernel says of this process."""
    sets = namespaces.capabilities(status)
    return flag("capabilities", not any(sets.values()), "every set is empty")


def no_new_privs() -> Layer:
    """See that no program gives more than its caller has."""
    return flag("no_new_privs", linux.prctl(linux.PR_GET_NO_NEW_PRIVS) == 1, "no exec gains privileges")


def calls(status: Mapping[str, str]) -> Layer:
    """Make calls which only the filter refuses. `status` is what the kernel says of this process."""
    tries: dict[str, tuple[Callable[[], object], int]] = {
        "unshare": (lambda: linux.call("unshare", 0), errno.EPERM),
        "process_vm_readv": (lambda: linux.call("process_vm_readv", os.getpid(), None, 0, None, 0, 0), errno.EPERM),
        "io_uring_setup": (lambda: linux.call("io_uring_setup", 0, None), errno.EPERM),
        "clone3": (lambda: linux.call("clone3", None, 0), errno.ENOSYS),
    }
    held = [name for name, (attempt, number) in tries.items() if not refused(attempt, {number})]
    if status["Seccomp"] != "2" or held:
        hint = "The kernel needs CONFIG_SECCOMP_FILTER."
        return Layer(
            "seccomp", "absent", f"mode {status['Seccomp']}; allowed: {', '.join(held) or 'nothing tried'}", hint
        )
    detail = f"filter mode, {len(seccomp.DENIED)} calls denied; {', '.join(tries)} were refused"
    return Layer("seccomp", "enforced", detail)


def injection(*, filtered: bool) -> Layer:
    """Type into a terminal of one's own as if its user had, which needs to be the session's to be refused by us alone.

    This process has to lead a session without a terminal, and does so again afterwards. Not `filtered`: it is the
    filter that is missing here, and the terminals still reach nobody but the sandbox.
    """
    pair, _ = terminal.make(Terminal(1, 1))
    master, slave = pair
    try:
        terminal.control(slave)
        typed = [
            name
            for name, number in zip(("TIOCSTI", "TIOCLINUX"), seccomp.TERMINAL_INJECTIONS, strict=True)
            if not refused(partial(fcntl.ioctl, slave, number, b"\0"), _UNTYPED)
        ]
        fcntl.ioctl(slave, termios.TIOCNOTTY)
    finally:
        os.close(slave)
        os.close(master)
    if typed:
        hint = "As root: sysctl -w dev.tty.legacy_tiocsti=0"
        state: State = "absent" if filtered else "partial"
        return Layer("terminal", state, f"{', '.join(typed)} types into a terminal, which is its own", hint)
    return Layer("terminal", "enforced", "terminals are its own; TIOCSTI and TIOCLINUX were refused on one")


def tier(spec: Spec, landlock: int) -> Layer:
    """Try what the tier forbids. `landlock` is the version in force."""
    if not spec.strict:
        return Layer("tier", "enforced", "standard: what is written in it can be executed")
    writable = [*([WORKSPACE] if spec.workspace_mode == "read-write" else []), *map(str, spec.read_write)]
    # The kernel says of each mount what was tried in one of them, whose file system surely has unnamed files.
    executable = [folder for folder in ("/tmp", "/dev/shm", *writable) if not os.statvfs(folder).f_flag & os.ST_NOEXEC]  # noqa: S108 - the sandbox's own
    tries: dict[str, Callable[[], object]] = {
        "executing a file": partial(attempts.execute, "/tmp"),  # noqa: S108 - the sandbox's own
        "mapping a file to be executed": partial(attempts.map_executable, "/tmp"),  # noqa: S108 - the same
        "a file in memory": attempts.remember,
    }
    held = [name for name, attempt in tries.items() if not refused(attempt, _DENIED)]
    if held or executable:
        hint = "It needs seccomp, and mounts that can be made noexec."
        return Layer("tier", "absent", f"strict, but possible: {', '.join([*held, *executable])}", hint)
    if not landlock:
        return Layer("tier", "partial", "strict, by mounts alone and not by Landlock besides")
    return Layer("tier", "enforced", "strict: nothing is executed from anything writable, no files in memory")
