"""The protos: their form, that the committed stubs are theirs, and that no client of before is broken."""

import os
import subprocess
import sys
from pathlib import Path

from tests.contract.imports import ROOT

BASELINE = Path(__file__).with_name("baseline.binpb")
"""The API as it was last released, made by `buf build -o tests/contract/baseline.binpb`."""


def run(*words: str, cwd: Path = ROOT) -> tuple[int, str]:
    """Run a tool of the virtual environment; give its exit code and what it said."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_protos_have_the_form_that_buf_asks_for() -> None:
    assert run("buf", "lint") == (0, "")


def test_stubs_are_those_of_the_protos() -> None:
    code, said = run(sys.executable, "protos/generate.py", "--check")
    assert code == 0, said


def test_no_client_of_the_last_release_is_broken() -> None:
    assert run("buf", "breaking", "--against", str(BASELINE)) == (0, "")


def test_a_removed_field_is_found_to_break_clients(tmp_path: Path) -> None:
    """The check above would notice: a copy of the protos without one field is refused."""
    for path in (ROOT / "protos").rglob("*.proto"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(
            "".join(line for line in path.read_text().splitlines(keepends=True) if "string output = 6;" not in line)
        )
    (tmp_path / "buf.yaml").write_text((ROOT / "buf.yaml").read_text())
    code, said = run("buf", "breaking", "--against", str(BASELINE), cwd=tmp_path)
    assert code != 0
    assert 'field "6" with name "output" on message "Run" was deleted' in said
