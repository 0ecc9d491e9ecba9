"""Privileges: becoming another user, gaining capabilities, raising limits."""

import os
import resource
import struct
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Missing
from workers.attacks.attempt import any_of, did, first, forked, run
from workers.attacks.bait import Bait
from workers.sandbox import linux

_AMBIENT_RAISE: Final = 2
_SYS_ADMIN: Final = 21
_PR_SET_SECUREBITS: Final = 28


def become_root(bait: Bait) -> str:
    """Become root by setuid, setreuid, setresuid or setfsuid."""
    return forked(
        lambda: first(
            [
                lambda: did(os.setuid, 0),
                lambda: did(os.setresuid, 0, 0, 0),
                lambda: did(os.setegid, 0),
            ]
        )
    )


def become_other(bait: Bait) -> str:
    """Become another user or join another group."""
    return forked(
        lambda: first([lambda: did(os.setgroups, [0, 4]), lambda: did(os.setuid, 1001), lambda: did(os.setgid, 4)])
    )


def take_capabilities(bait: Bait) -> str:
    """Give oneself every capability."""
    everything = struct.pack("=6I", *[0xFFFFFFFF] * 2, 0, 0x1FF, 0x1FF, 0)
    linux.call("capset", struct.pack("Ii", 0x20080522, 0), everything)
    return _held()


def hold_capabilities(bait: Bait) -> str:
    """Find that one has capabilities, or could gain them by an exec."""
    return _held()


def ambient_capability(bait: Bait) -> str:
    """Raise an ambient capability, which programs inherit."""
    return f"{linux.prctl(linux.PR_CAP_AMBIENT, _AMBIENT_RAISE, _SYS_ADMIN)}"


def secure_bits(bait: Bait) -> str:
    """Change how root and capabilities go together."""
    return f"{linux.prctl(_PR_SET_SECUREBITS, 0)}"


def new_privileges(bait: Bait) -> str:
    """Switch the ban on new privileges off."""
    return f"{linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 0)}"


def lacks_ban(bait: Bait) -> str:
    """Find that programs may gain privileges."""
    if linux.prctl(linux.PR_GET_NO_NEW_PRIVS) == 1:
        raise OSError("no exec gains privileges")
    return "they may"


def own_setuid(bait: Bait) -> str:
    """Run a setuid program of one's own as another user."""
    place = Path(f"/workspace/.setuid-{os.getpid()}")
    place.write_bytes(Path("/usr/bin/id").read_bytes())
    place.chmod(0o6755)
    said = run([str(place), "-u"]).strip()
    if said == str(os.getuid()):
        raise OSError("it is the same user")
    return f"user {said}"


def switch_user(bait: Bait) -> str:
    """Become root by the host's setuid programs: su, sudo, pkexec, newgrp, mount."""
    commands = (
        *(["su", "-c", "id -u"], ["sudo", "-n", "id", "-u"], ["pkexec", "id", "-u"]),
        *(["mount", "-t", "tmpfs", "none", "/workspace"], ["newuidmap", str(os.getpid()), "0", "0", "1"]),
    )
    return any_of(lambda argv: f"{argv[0]}: {run(argv)}", commands)


def effective_setuid(bait: Bait) -> str:
    """Find that a setuid program of the host runs as its owner."""
    candidates = ("/usr/bin/su", "/bin/su", "/usr/bin/passwd", "/usr/bin/mount")
    program = next((path for path in candidates if Path(path).exists() and Path(path).stat().st_mode & 0o4000), "")
    if not program:
        raise Missing("the host has no setuid program")
    flags = os.statvfs(program).f_flag
    if flags & os.ST_NOSUID:
        raise OSError(f"{program} is on a mount where that has no effect")
    return f"{program} is setuid and its mount lets it be"


def more_files(bait: Bait) -> str:
    """Raise the limit of open files."""
    return _raised(resource.RLIMIT_NOFILE)


def more_processes(bait: Bait) -> str:
    """Raise the limit of processes."""
    return _raised(resource.RLIMIT_NPROC)


def more_memory(bait: Bait) -> str:
    """Raise the limits of memory: address space and what is locked."""
    return any_of(_raised, (resource.RLIMIT_AS, resource.RLIMIT_MEMLOCK))


def more_bytes(bait: Bait) -> str:
    """Raise the limits of a file's size, of core files and of message queues."""
    return any_of(_raised, (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_MSGQUEUE))


def real_time(bait: Bait) -> str:
    """Raise the limits of priority."""
    return any_of(_raised, (resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO))


def readable_again(bait: Bait) -> str:
    """As a fork of pid 1, make it possible again that others read one's memory, which is that of pid 1."""
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    return f"{linux.prctl(linux.PR_GET_DUMPABLE)}: {len(Path('/proc/1/environ').read_bytes())} bytes of pid 1"


def give_away(bait: Bait) -> str:
    """Give a file of one's own to root."""
    place = Path(f"/workspace/.given-{os.getpid()}")
    place.touch()
    os.chown(place, 0, 0)
    return f"is of user {place.stat().st_uid}"


def _held() -> str:
    status = Path("/proc/self/status").read_text().splitlines()
    sets = [line for line in status if line.startswith("Cap") and int(line.split()[1], 16)]
    if not sets:
        raise OSError("all five sets are empty")
    return "; ".join(sets)


def _raised(kind: int) -> str:
    soft, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY:
        return "there is no limit"
    try:
        resource.setrlimit(kind, (soft, hard + 1))
    except ValueError as refusal:
        raise PermissionError(str(refusal)) from refusal
    return f"from {hard} to {resource.getrlimit(kind)[1]}"


_ROOT: Final = "root, at least inside: the first step of most ways out"
_BOUNDS: Final = "more of the host than was given"

ATTACKS: Final = (
    Attack(become_root, _ROOT),
    Attack(become_other, "another user's files"),
    Attack(take_capabilities, _ROOT),
    Attack(hold_capabilities, _ROOT),
    Attack(ambient_capability, _ROOT),
    Attack(secure_bits, _ROOT),
    Attack(new_privileges, _ROOT),
    Attack(lacks_ban, _ROOT),
    Attack(own_setuid, "another user's files"),
    Attack(switch_user, _ROOT),
    Attack(effective_setuid, _ROOT),
    Attack(more_files, _BOUNDS),
    Attack(more_processes, _BOUNDS),
    Attack(more_memory, _BOUNDS),
    Attack(more_bytes, _BOUNDS),
    Attack(real_time, "the processors"),
    Attack(readable_again, "what pid 1 knows", start="entry"),
    Attack(give_away, "a file that the host takes for root's"),
)
