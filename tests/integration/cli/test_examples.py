"""The scripts of examples/ do what they say."""

import subprocess
import sys

import pytest

from tests.integration.cli.conftest import ROOT, Cli


@pytest.mark.parametrize(
    ("script", "says"), [("hello.py", "SUCCEEDED"), ("hello_async.py", "events under the stamp dddddddddddd")]
)
def test_a_script_of_a_few_lines_runs_an_agent(cli: Cli, script: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / script)],
        capture_output=True, text=True, env=cli.environment, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert not done.stderr
