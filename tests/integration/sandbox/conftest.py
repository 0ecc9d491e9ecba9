"""Every promise of the sandbox is tried by whoever runs the tests and, if that is root, by an ordinary user as well.

A test asks for `house`. As `own` it runs here; as `user` the same function runs in another process, by driver.py.
"""

import asyncio
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.sandbox.house import House

ROOT = Path(__file__).parents[3]
USER = 54321
MODES = ["own", "user"] if os.geteuid() == 0 else ["own"]
TEST_SECONDS = 60.0
READS_ITSELF = "import sys; open(sys.executable, 'rb').close()"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", MODES, indirect=False)


@pytest.fixture
def folder(mode: str) -> Iterator[Path]:
    """Lend a folder to the one who runs the test."""
    with lent(user=mode == "user") as path:
        yield path


@contextmanager
def lent(*, user: bool) -> Iterator[Path]:
    """Make a folder on a path that every user can walk, of the ordinary user or of who runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="sandbox-"))
    if user and os.geteuid() == 0:
        os.chown(path, USER, USER)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest_asyncio.fixture
async def house(mode: str, folder: Path) -> AsyncIterator[House | None]:
    if mode == "user":
        yield None
        return
    async with House.standing(folder) as standing:
        yield standing


@pytest.fixture(scope="session")
def user_python() -> str:
    """Find a Python that the ordinary user can read."""
    for python in (sys.executable, "/usr/bin/python3"):
        found = subprocess.run(as_user(python, "-I", "-c", READS_ITSELF), check=False, capture_output=True)
        if found.returncode == 0:
            return python
    raise AssertionError("An ordinary user needs a Python it can read, such as Debian's /usr/bin/python3.")


@pytest.fixture(scope="session")
def user_root() -> Iterator[Path]:
    """Copy the sandbox and these tests to where the ordinary user can read them; the checkout may be root's alone."""
    with lent(user=True) as copy:
        for folder in ("workers/sandbox", "tests/integration/sandbox"):
            shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "workers" / "__init__.py", copy / "workers")
        yield copy


def as_user(*argv: str) -> list[str]:
    """Give the command which runs another one as an ordinary user."""
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--groups=4,27", "--inh-caps=-all", *argv]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give each test a deadline: what does not die would be waited for without end."""
    if isinstance(item, pytest.Function) and "house" in item.fixturenames:
        item.obj = bounded(item.obj)


def bounded(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Let a test fail when it takes too long."""

    @functools.wraps(test)
    async def run(*arguments: object, **named: object) -> None:
        async with asyncio.timeout(TEST_SECONDS):
            await test(*arguments, **named)

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if pyfuncitem.funcargs.get("mode") != "user" or "house" not in pyfuncitem.funcargs:
        return None
    python = pyfuncitem._request.getfixturevalue("user_python")
    root: Path = pyfuncitem._request.getfixturevalue("user_root")
    driver = str(root / "tests/integration/sandbox/driver.py")
    module = f"tests.integration.sandbox.{Path(pyfuncitem.path).stem}"
    argv = as_user(python, "-I", driver, str(root), module, pyfuncitem.originalname, str(pyfuncitem.funcargs["folder"]))
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=TEST_SECONDS)
    assert done.returncode == 0, f"as an ordinary user:\n{done.stdout}{done.stderr}"
    return True
