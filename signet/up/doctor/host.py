"""The machine: Python, the kernel, control groups, space, and the browser of the tests."""

import platform
import shutil
import sys
from pathlib import Path

from signet.kit.home import Home
from signet.up.doctor.finding import Finding

_MIB = 1 << 20
_LEAST_BYTES = 100 * _MIB
_GOOD_BYTES = 1024 * _MIB


def python() -> Finding:
    """See which Python runs."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < (3, 11):  # noqa: UP036 - installed some other way than by `make up`
        return Finding("python", "broken", found, "install Python 3.11 or newer")
    return Finding("python", "ok", found)


def kernel() -> Finding:
    """See which kernel runs."""
    found = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if platform.system() != "Linux":
        return Finding("kernel", "broken", found, "sandboxes need Linux")
    return Finding("kernel", "ok", found)


def cgroups(root: Path = Path("/sys/fs/cgroup")) -> Finding:
    """See whether control groups of version 2 are there."""
    try:
        controllers = (root / "cgroup.controllers").read_text().split()
    except OSError:
        return Finding("cgroups", "warning", "no unified hierarchy: limits hold per process, by setrlimit")
    return Finding("cgroups", "ok", f"version 2: {' '.join(controllers) or 'no controllers here'}")


def space(home: Home) -> Finding:
    """See how much space there is for data."""
    place = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / _MIB:,.0f} MiB free at {place}"
    mend = "free some space, or choose another folder with --data"
    if free < _LEAST_BYTES:
        return Finding("disk space", "broken", found, mend)
    return Finding("disk space", "warning", found, mend) if free < _GOOD_BYTES else Finding("disk space", "ok", found)


def chromium() -> Finding:
    """See whether the browser tests have a browser."""
    path = shutil.which("chromium")
    if path:
        return Finding("chromium", "ok", f"{path} (tests only)")
    return Finding("chromium", "warning", "missing (tests only)", "apt-get install chromium")
