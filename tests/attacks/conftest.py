"""The whole suite is run once for each user: whoever runs the tests and, if that is root, an ordinary user as well."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cryptography
import pytest

ROOT = Path(__file__).parents[2]
USER = 54321
MODES = ("own", "user") if os.geteuid() == 0 else ("own",)
RUN_SECONDS = 300.0
READS_ITSELF = "import sys; open(sys.executable, 'rb').close()"
PACKAGES = Path(cryptography.__file__).parents[1]
"""Where this Python's packages are; those of the sidecar serve another Python of the same version as well."""
MAIN = """
import sys
sys.path[:0] = sys.argv[1].split(":")
del sys.argv[1]
from workers.attacks.__main__ import main
sys.exit(main())
"""

Found = Mapping[tuple[str, str], dict[str, Any]]


def as_user(*argv: str) -> list[str]:
    """Give the command which runs another one as an ordinary user, or as it is where that is whom we are."""
    if os.geteuid() != 0:
        return list(argv)
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all", *argv]


@contextmanager
def lent(*, user: bool) -> Iterator[Path]:
    """Make a folder on a path that every user can walk, of the ordinary user or of who runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="attacks-"))
    path.chmod(0o755)
    if user and os.geteuid() == 0:
        os.chown(path, USER, USER)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def user_python() -> str:
    """Find a Python that the ordinary user can read."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run(as_user(python, "-I", "-c", READS_ITSELF), check=False, capture_output=True).returncode == 0:
            return python
    raise AssertionError("An ordinary user needs a Python it can read, such as Debian's /usr/bin/python3.")


@pytest.fixture(scope="session")
def user_root() -> Iterator[Path]:
    """Copy the sources to where the ordinary user can read them; the checkout may be root's alone."""
    without = shutil.ignore_patterns("__pycache__")
    with lent(user=True) as copy:
        for folder in ("workers", "signet/policy", "signet/kit", "tests/attacks"):
            shutil.copytree(ROOT / folder, copy / folder, ignore=without)
        shutil.copy(ROOT / "signet/__init__.py", copy / "signet")
        yield copy


@pytest.fixture(scope="session")
def suites(user_python: str, user_root: Path) -> Iterator[Mapping[str, "subprocess.Popen[str]"]]:
    """Start the suite for each user, at once."""
    commands = {"own": [sys.executable, "-I", "-c", MAIN, str(ROOT), "--json"]}
    if "user" in MODES:
        commands["user"] = as_user(user_python, "-I", "-c", MAIN, f"{user_root}:{PACKAGES}", "--json")
    running = {
        mode: subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")
        for mode, argv in commands.items()
    }
    yield running
    for process in running.values():
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def found(suites: Mapping[str, "subprocess.Popen[str]"]) -> Mapping[str, Found]:
    """Give every result by user, tier and attack."""
    gathered = {}
    for mode, process in suites.items():
        out, errors = process.communicate(timeout=RUN_SECONDS)
        assert process.returncode in {0, 1}, errors
        told = json.loads(out)
        assert told["user"] == ("root" if mode == "own" and os.geteuid() == 0 else "user")
        assert not told["refused"], told["refused"]
        gathered[mode] = {(one["tier"], one["id"]): one for one in told["attacks"]}
    return gathered
