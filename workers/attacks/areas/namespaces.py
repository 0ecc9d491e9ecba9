"""Namespaces: new ones in which one is root, and those of the host."""

import fcntl
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack
from workers.attacks.attempt import any_of, forked
from workers.attacks.bait import Bait
from workers.sandbox import linux

_GET_USER: Final = 0xB701
_GET_PARENT: Final = 0xB702
_NEWTIME: Final = 0x80
_SIGCHLD: Final = 17


def unshare_user(bait: Bait) -> str:
    """Become root of a new user namespace by unshare."""
    return forked(lambda: _root(lambda: linux.unshare(linux.NEWUSER)))


def unshare_any(bait: Bait) -> str:
    """Make a new mount, network, process or other namespace by unshare."""
    flags = (linux.NEWNS, linux.NEWNET, linux.NEWPID, linux.NEWIPC, linux.NEWUTS, linux.NEWCGROUP, _NEWTIME)
    return any_of(lambda flag: forked(lambda: f"made {flag:#x}: {linux.call('unshare', flag)}"), flags)


def unshare_all(bait: Bait) -> str:
    """Become root of a new user namespace with a network and mounts, in one call."""
    return forked(lambda: _root(lambda: linux.unshare(linux.NEWUSER | linux.NEWNET | linux.NEWNS)))


def clone_user(bait: Bait) -> str:
    """Become root of a new user namespace by clone."""
    return _cloned(linux.NEWUSER)


def clone_others(bait: Bait) -> str:
    """Make other namespaces by clone."""
    return any_of(_cloned, (linux.NEWNS, linux.NEWNET, linux.NEWPID))


def clone3_user(bait: Bait) -> str:
    """Become root of a new user namespace by clone3, whose flags a filter cannot read."""
    arguments = struct.pack("8Q", linux.NEWUSER, 0, 0, 0, _SIGCHLD, 0, 0, 0)
    pid = linux.call("clone3", arguments, len(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return f"made {pid} in a new user namespace"


def enter_init(bait: Bait) -> str:
    """Enter a namespace of pid 1 through /proc."""
    return any_of(lambda name: _enter(f"/proc/1/ns/{name}"), ("net", "mnt", "user"))


def enter_own(bait: Bait) -> str:
    """Enter one's own user namespace again, which gives every capability in it."""
    return _enter("/proc/self/ns/user")


def enter_host(bait: Bait) -> str:
    """Enter the namespaces of a process of the host."""
    return any_of(lambda name: _enter(f"/proc/{bait.victim}/ns/{name}"), ("net", "mnt", "pid"))


def enter_by_descriptor(bait: Bait) -> str:
    """Enter all namespaces of pid 1 through a descriptor of it."""
    return f"entered: {linux.call('setns', os.pidfd_open(1), linux.NEWNET | linux.NEWNS)}"


def owner(bait: Bait) -> str:
    """Hold the user namespace which owns the network, or the parent of one's own."""
    return any_of(lambda pair: _related(*pair), (("net", _GET_USER), ("pid", _GET_PARENT), ("user", _GET_PARENT)))


def same_clock(bait: Bait) -> str:
    """Set the clock of the host."""
    now = time.clock_gettime(time.CLOCK_REALTIME)
    time.clock_settime(time.CLOCK_REALTIME, now)
    return f"set to {now}"


def host_name(bait: Bait) -> str:
    """Change the name of the machine."""
    socket.sethostname("taken")
    return socket.gethostname()


def _root(enter: Callable[[], None]) -> str:
    enter()
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    return f"capabilities there: {held.split()[1]}"


def _cloned(flag: int) -> str:
    pid = linux.clone(flag)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return f"made {pid} in a new namespace {flag:#x}"


def _enter(path: str) -> str:
    fd = os.open(path, os.O_RDONLY)
    return forked(lambda: f"entered {path}: {linux.call('setns', fd, 0)}")


def _related(name: str, request: int) -> str:
    fd = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
    found = os.readlink(f"/proc/self/fd/{fcntl.ioctl(fd, request)}")
    if found == os.readlink("/proc/self/ns/user"):
        raise OSError("it is one's own")
    return f"holds {found}"


_ROOT: Final = "every capability, in a place from where the kernel is easier to attack"
_HOST: Final = "the host's network, files or processes"

ATTACKS: Final = (
    Attack(unshare_user, _ROOT),
    Attack(unshare_any, _ROOT),
    Attack(unshare_all, _ROOT),
    Attack(clone_user, _ROOT),
    Attack(clone_others, _ROOT),
    Attack(clone3_user, _ROOT),
    Attack(enter_init, _HOST),
    Attack(enter_own, _ROOT),
    Attack(enter_host, _HOST),
    Attack(enter_by_descriptor, _HOST),
    Attack(owner, "a handle on a namespace above"),
    Attack(same_clock, "the host's clock"),
    Attack(host_name, "the name by which others know the machine"),
)
