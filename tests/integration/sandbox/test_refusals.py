"""A host that cannot give the isolation asked for: what is said, and that nothing runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sandbox.conftest import TEST_SECONDS, as_user, lent
from tests.integration.sandbox.house import House
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher

CRIPPLED = "tests/integration/sandbox/crippled.py"
IS_ROOT = os.geteuid() == 0
ROOT_CASES = (
    [("no-userns-for-root", "user.max_user_namespaces"), ("no-netns-for-root", "user.max_net_namespaces")]
    if IS_ROOT
    else [("no-userns-setting", "user.max_user_namespaces")]
)


@pytest.fixture
def place() -> Iterator[Path]:
    with lent(user=True) as path:
        yield path


@pytest.fixture
def attempt(place: Path, user_python: str, user_root: Path) -> Any:
    """Open a sandbox, as an ordinary user or as who runs the tests, where something is missing."""

    def run(how: str, *, user: bool, best_effort: str = "", tier: str = "standard") -> dict[str, Any]:
        argv = ["-I", str(user_root / CRIPPLED), str(user_root), how, str(place), best_effort, tier]
        argv = as_user(user_python, *argv) if user and IS_ROOT else [sys.executable, *argv]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=TEST_SECONDS)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


def test_a_forbidden_user_namespace_names_the_setting_to_change(attempt: Any) -> None:
    refused = attempt("no-userns-setting", user=True)
    assert refused["layer"] == "namespaces"
    assert refused["hint"] == "user.max_user_namespaces is 0; as root: sysctl -w user.max_user_namespaces=15000"
    assert "ENOSPC" in refused["reason"]


@pytest.mark.parametrize(("how", "setting"), ROOT_CASES)
def test_root_too_is_told_the_setting(attempt: Any, how: str, setting: str) -> None:
    refused = attempt(how, user=False)
    assert refused["layer"] == "namespaces"
    assert f"sysctl -w {setting}=15000" in refused["hint"]


def test_a_container_that_forbids_them_is_called_one(attempt: Any) -> None:
    for user in (True, False):
        refused = attempt("container", user=user)
        assert refused["layer"] == "namespaces"
        assert "EPERM" in refused["reason"]
        assert "container" in refused["hint"]
        assert "user.max_user_namespaces" in refused["hint"]


def test_a_root_without_other_uids_is_told_so(attempt: Any) -> None:
    refused = attempt("rootless", user=True)
    assert refused["layer"] == "user"
    assert "200001 is not one of this container's" in refused["reason"]
    assert refused["hint"]


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
@pytest.mark.parametrize("user", [True, False])
def test_a_missing_layer_is_refused_unless_the_spec_says_best_effort(attempt: Any, layer: str, *, user: bool) -> None:
    refused = attempt(f"no-{layer}", user=user)
    assert refused["layer"] == layer
    assert refused["hint"]
    opened = attempt(f"no-{layer}", user=user, best_effort=layer)
    assert opened["report"].pop(layer) == "absent"
    if layer == "seccomp":  # the filter's part there, unless the kernel forbids it to all
        assert opened["report"].pop("terminal") in {"partial", "enforced"}
    assert set(opened["report"].values()) == {"enforced"}


@pytest.mark.parametrize("user", [True, False])
def test_strict_needs_more_than_what_one_may_go_without(attempt: Any, *, user: bool) -> None:
    refused = attempt("no-seccomp", user=user, best_effort="seccomp", tier="strict")
    assert refused["layer"] == "tier"
    assert refused["reason"] == "strict, but possible: a file in memory."
    assert refused["hint"]
    assert attempt("no-landlock", user=user, tier="strict")["layer"] == "landlock"
    opened = attempt("no-landlock", user=user, best_effort="landlock", tier="strict")
    assert opened["report"]["tier"] == "partial"


def test_a_workspace_of_somebody_else_is_refused(attempt: Any, place: Path) -> None:
    (place / "workspace").mkdir(mode=0o755)
    if not IS_ROOT:
        (place / "workspace").chmod(0o555)
    refused = attempt("nothing", user=False)
    assert refused["layer"] == "workspace"
    assert "not writable" in refused["reason"]


def test_a_workspace_that_is_a_file_is_refused(attempt: Any, place: Path) -> None:
    (place / "workspace").touch()
    refused = attempt("nothing", user=True)
    assert refused["layer"] == "workspace"
    assert "not a folder" in refused["reason"]


async def test_a_folder_to_be_shown_that_is_missing_is_named(place: Path) -> None:
    async with House.standing(place) as house:
        with pytest.raises(SandboxUnavailable, match="cannot show /nonesuch"):
            await house.open(read_only=(Path("/nonesuch"),))
        async with await house.open() as sandbox:
            assert sandbox.ended is None


async def test_a_module_that_cannot_be_preloaded_is_named() -> None:
    with pytest.raises(SandboxUnavailable, match="preload failed: ModuleNotFoundError: No module named 'nonesuch'"):
        await Launcher.start(("nonesuch",))


async def test_a_python_that_cannot_be_run_is_named(place: Path) -> None:
    python = place / "python3"
    python.write_text("not to be run")
    with pytest.raises(SandboxUnavailable, match=f"{python}: Permission denied") as refused:
        await Launcher.start(python=str(python))
    assert refused.value.layer == "zygote"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="ended with code 3 at its start"):
        await Launcher.start(python=str(python))


async def test_root_has_to_say_which_host_uid(place: Path) -> None:
    async with House.standing(place) as house:
        spec = house.spec(host_uid=None)
        if not house.launcher.as_root:
            await (await house.launcher.open(spec)).aclose()
            return
        with pytest.raises(ValueError, match="host_uid is needed"):
            await house.launcher.open(spec)
