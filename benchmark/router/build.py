"""The compiled programs: a model server and a load generator, built from the sources here with the machine's `cc`."""

import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent
_PROGRAMS = ("load", "upstream")
_FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
_SECONDS = 120


class BuildError(Exception):
    """Raised when the programs cannot be built; says what is missing, or what the compiler said."""


@dataclass(frozen=True)
class Programs:
    """Where the built programs lie."""

    load: Path
    upstream: Path


def cache() -> Path:
    """Give the folder of what may be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signet"


def build(place: Path | None = None) -> Programs:
    """Build what is not built yet from these very sources. Raises BuildError."""
    digest = hashlib.sha256(" ".join(_FLAGS).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    folder = (place or cache() / "bench") / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PROGRAMS:
        if not (folder / name).exists():
            _compile(name, folder)
    return Programs(folder / "load", folder / "upstream")


def _compile(name: str, folder: Path) -> None:
    """Compile beside its place and move it there whole: another one may build at the same time."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        argv = ["cc", *_FLAGS, "-o", f"{made}/{name}", str(SOURCES / f"{name}.c"), "-lm"]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except FileNotFoundError as error:
            message = "cc is missing: install Debian's gcc and libc6-dev (apt-get install gcc libc6-dev)"
            raise BuildError(message) from error
        if done.returncode:
            raise BuildError(f"{name}.c does not compile here:\n{done.stderr[-2000:]}")
        Path(made, name).replace(folder / name)
