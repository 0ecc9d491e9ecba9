"""From within a real sandbox the proxy is the only way out, and who asks is told, for root and for an ordinary user."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.sidecars.egress import measure

ROOT = Path(__file__).parents[3]
USER = 54321
WHO = ["own", "user"] if os.geteuid() == 0 else ["own"]


@pytest.fixture
def copied() -> Iterator[Path]:
    """Copy what an ordinary user has to read; the checkout may be root's alone."""
    with tempfile.TemporaryDirectory(prefix="egress-") as folder:
        root = Path(folder)
        for name in ("workers", "signet"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(Path(__file__).with_name("boxed.py"), root)
        for path in (root, *root.rglob("*")):
            if os.geteuid() == 0:
                os.chown(path, USER, USER)
        yield root


@pytest.mark.parametrize("who", WHO)
def test_only_the_program_that_a_rule_names_gets_out(copied: Path, who: str) -> None:
    argv: list[str | Path] = [sys.executable, "-I", copied / "boxed.py", copied, copied]
    if who == "user":
        argv = [
            "setpriv",
            f"--reuid={USER}",
            f"--regid={USER}",
            "--clear-groups",
            "--inh-caps=-all",
            "/usr/bin/python3",
            *argv[1:],
        ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["got"]["curl"] == "hi"
    assert "403" in found["got"]["python"]
    assert "Failed to connect" in found["got"]["direct"]
    told = [(Path(one["binary"]).name.partition("3")[0], one["verdict"]) for one in found["decided"]]
    assert told == [("curl", "allow"), ("python", "deny")]


def test_the_measurement_gives_every_row() -> None:
    rows = measure.measure(size=1 << 20, tunnels=3)
    assert [(row["name"], "reference" in row) for row in rows] == [
        ("egress_throughput", False), ("egress_throughput", True), ("egress_throughput_wall", False),
        ("egress_throughput_wall", True), ("egress_latency", False), ("egress_latency", True),
    ]  # fmt: skip
    assert all("value" in row or {"p50", "p99"} <= row.keys() for row in rows)
