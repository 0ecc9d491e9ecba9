"""A PostgreSQL for a peer that keeps its account in one: Debian's, in a folder that goes away, on loopback."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.router.program import ProgramError, free_port, running

_USER = "nobody"
_GROUP = "nogroup"
_SECONDS = 60


@contextmanager
def postgres(core: int | None) -> Iterator[str]:
    """Serve an empty database until the context is left; gives its URL. Raises ProgramError.

    PostgreSQL does not run as root; there it runs as `nobody`. Its defaults stand: a commit is on disk.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="signet-bench-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, _USER, _GROUP)
        as_user = ["setpriv", "--reuid", _USER, "--regid", _GROUP, "--clear-groups"]
    try:
        argv = [*as_user, str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "bench"]
        made = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=folder)
        if made.returncode:
            raise ProgramError(f"initdb failed: {made.stderr[-500:]}")
        port = free_port()
        argv = [
            *as_user, str(programs / "postgres"), "-D", f"{folder}/data", "-p", str(port), "-h", "127.0.0.1", "-k",
            str(folder),
        ]  # fmt: skip
        with running("postgres", argv, folder, core=core) as server:
            server.wait_for_port(port)
            yield f"postgresql://bench@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Find the newest installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise ProgramError("PostgreSQL is missing: install Debian's postgresql")
    return found[-1].parent
