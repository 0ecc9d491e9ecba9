"""What comes along unasked: descriptors, environment and memory of what the process was forked from."""

import ctypes
import os
import re
import signal
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Design, Missing
from workers.attacks.attempt import CHANNEL
from workers.attacks.bait import Bait

_LOOKED_AT_BYTES: Final = 64 << 20
_OUTSIDE: Final = re.compile(rb"signet-secret-[0-9a-f]{32}")
_INSIDE: Final = re.compile(rb"signet-inside-[0-9a-f]{32}")
_CLEAN: Final = {"PATH", "HOME", "USER", "LANG", "TMPDIR", "PWD", "SHLVL", "LC_CTYPE", "_"}


def descriptors(bait: Bait) -> str:
    """Use a descriptor that was left open: of the worker, the zygote or pid 1."""
    return _descriptors()


def descriptors_of_entry(bait: Bait) -> str:
    """As a fork of pid 1, use a descriptor that was left open."""
    return _descriptors()


def environment(bait: Bait) -> str:
    """Find something of the host's in one's environment."""
    strange = {name: value for name, value in os.environ.items() if name not in _CLEAN}
    if not strange:
        raise OSError("there is nothing but the sandbox's own")
    return str(strange)


def memory(bait: Bait) -> str:
    """As a fork of pid 1, find a secret of the worker in the memory that was copied."""
    return _search(_OUTSIDE)


def memory_of_others(bait: Bait) -> str:
    """As a fork of pid 1, find in its memory what another process of the sandbox was started with."""
    return _search(_INSIDE)


def signals(bait: Bait) -> str:
    """Find that signals are blocked or ignored, so that what one starts cannot be ended."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    ends = 1 << signal.SIGTERM - 1 | 1 << signal.SIGHUP - 1
    masks = {name: int(lines[name], 16) for name in ("SigBlk", "SigIgn") if name in lines}
    if not masks:
        raise Missing("this kernel does not tell")
    if not any(mask & ends for mask in masks.values()):
        raise OSError("none that ends a process")
    return str(masks)


def _descriptors() -> str:
    own = {str(path) for path in ("0", "1", "2", CHANNEL)}
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the listing's own
            continue
    # The pipe on which this is told is the only other that may be there.
    strange = {name: target for name, target in found.items() if name not in own and not target.startswith("pipe:")}
    pipes = [name for name, target in found.items() if name not in own and target.startswith("pipe:")]
    if len(pipes) > 1:
        return f"holds pipes {pipes}: {_drain(pipes)}"
    if strange:
        return f"holds {strange}"
    raise OSError("there is none")


def _drain(pipes: list[str]) -> str:
    said = []
    for name in pipes:
        os.set_blocking(int(name), False)
        try:
            said.append(os.read(int(name), 200).decode(errors="replace"))
        except OSError:
            continue
    return " ".join(said)


def _search(planted: re.Pattern[bytes]) -> str:
    """Look for planted secrets in all memory that may be written, up to 64 MiB."""
    found: set[str] = set()
    left = _LOOKED_AT_BYTES
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, *_ = line.split()
        low, high = (int(part, 16) for part in place.split("-"))
        if not rights.startswith("rw") or high - low > left:
            continue
        left -= high - low
        found |= {match.decode() for match in planted.findall(ctypes.string_at(low, high - low))}
    if not found:
        raise OSError("none is there")
    return str(found)


_RIGHTS: Final = "the rights of whoever opened it"

ATTACKS: Final = (
    Attack(descriptors, _RIGHTS),
    Attack(descriptors_of_entry, _RIGHTS, start="entry"),
    Attack(environment, "the secrets of the worker"),
    Attack(memory, "the secrets of the worker", "secret", start="entry"),
    Attack(
        memory_of_others,
        "what another tool of the same agent was given",
        "secret",
        start="entry",
        design=Design(
            "what is started passes through pid 1, and no secret enters a sandbox: a placeholder is one's own",
            certain=False,
        ),
    ),
    Attack(signals, "a process that does not end"),
)
