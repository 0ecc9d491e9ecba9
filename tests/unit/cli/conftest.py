"""Commands called in this process, which is quick, against a fleet that is really served."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from signet.cli.main import main
from signet.kit.home import Home
from tests.fakes.hosted import Hosted

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Cli:
    """Calls `signet` on a data folder, with pipes for its three streams."""

    data: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *args: str | bytes, stdin: bytes = b"") -> Done:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNET_", "NO_COLOR"))}
        environment = kept | {"SIGNET_DATA": str(self.data)} | self.env
        given = io.TextIOWrapper(io.BytesIO(stdin))
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            with (
                mock.patch.dict(os.environ, environment, clear=True),
                mock.patch.object(sys, "stdin", given),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                code = main([os.fsdecode(arg) for arg in args])
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Hosted]:
    with Hosted(Home(tmp_path / "data")) as hosted:
        yield hosted


@pytest.fixture
def cli(fleet: Hosted) -> Cli:
    return Cli(fleet.home.root)
