"""Every attack that must fail fails under other engines, too: gVisor, and a container engine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.conftest import MAIN, ROOT
from tests.conformance import engines
from workers.attacks.areas import everything

TIERS = ("gvisor", "container")
RUN_SECONDS = 900.0
HELD = {"held", "by design", "not applicable"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """Run the suite on both tiers; what it says."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        engines.set_up(tmp_path_factory.mktemp("engines"), monkeypatch)
        argv = [sys.executable, "-I", "-c", MAIN, str(ROOT), "--json", *(f"--tier={tier}" for tier in TIERS)]
        ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=RUN_SECONDS, cwd=Path("/"))
        assert ran.returncode in {0, 1}, ran.stderr
        yield json.loads(ran.stdout)


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_wins_what_it_may_not(tier: str, told: Mapping[str, Any]) -> None:
    if os.geteuid() != 0 and tier == "gvisor":
        assert any("root only" in reason for reason in told["refused"].values())
        return
    results = [one for one in told["attacks"] if one["tier"] == tier]

    assert len(results) == len(everything())
    assert {one["id"]: one["detail"] for one in results if one["state"] not in HELD} == {}
