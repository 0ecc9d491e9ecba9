"""The CLI as a stranger runs it: a program, against a fleet that is really served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from signet.kit.home import Home
from tests.fakes.hosted import Hosted

ROOT = Path(__file__).parents[3]
SECONDS = 60
_FOREIGN = ("SIGNET_", "NO_COLOR", "PYTHONUNBUFFERED")  # the last has Python lose what a pipe takes in parts


@dataclass(frozen=True)
class Cli:
    """Runs `signet` on a data folder."""

    data: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return kept | {"SIGNET_DATA": str(self.data), "TERM": "xterm-256color"} | self.env

    def argv(self, *args: str | bytes) -> list[str | bytes]:
        return [sys.executable, "-m", "signet.cli", *args]

    def run(self, *args: str | bytes, stdin: bytes | None = None) -> "subprocess.CompletedProcess[str]":
        done = self.raw(*args, stdin=stdin)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def raw(self, *args: str | bytes, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            self.argv(*args),
            input=stdin or b"",
            capture_output=True,
            cwd=ROOT,
            env=self.environment,
            timeout=SECONDS,
            check=False,
        )

    def start(self, *args: str | bytes) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("launch.py")), *self.argv(*args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=self.environment,
        )


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Hosted]:
    with Hosted(Home(tmp_path / "data")) as hosted:
        yield hosted


@pytest.fixture
def cli(fleet: Hosted) -> Cli:
    return Cli(fleet.home.root)
