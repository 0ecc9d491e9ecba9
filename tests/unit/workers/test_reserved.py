"""No policy shows a sandbox the data home, by whatever name: only the agent's own workspace in it."""

from pathlib import Path

import pytest

from signet.policy.model import Filesystem
from workers.reserved import Reserved
from workers.sandbox.errors import SandboxUnavailable


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a data home with two workspaces, links to it, and a folder beside it."""
    home = tmp_path / "share" / "signet"
    for name in ("keys", "worker/workspaces/scribe/out", "worker/workspaces/other"):
        (home / name).mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "link").symlink_to(home)
    (tmp_path / "beside" / "keys").symlink_to(home / "keys")
    (tmp_path / "signet").mkdir()
    return home


def check(home: Path, name: str, key: str) -> None:
    named = (str(home.parent.parent / name),)
    folders = Filesystem(read_only=named) if key == "read_only" else Filesystem(read_write=named)
    Reserved((home, home / "elsewhere")).check(folders, home / "worker" / "workspaces" / "scribe")


@pytest.mark.parametrize("key", ["read_only", "read_write"])
@pytest.mark.parametrize(
    "name",
    [
        "share",
        "share/signet",
        "share/signet/keys",
        "share/signet/keys/none",
        "share/signet/worker/workspaces",
        "share/signet/worker/workspaces/other",
        "share/signet/elsewhere/control.sock",
        "beside/link",
        "beside/link/keys",
        "beside/keys",
    ],
)
def test_a_policy_that_shows_the_home_is_refused(home: Path, name: str, key: str) -> None:
    with pytest.raises(SandboxUnavailable) as refused:
        check(home, name, key)
    assert refused.value.layer == "filesystem"
    assert f"filesystem.{key} names" in refused.value.reason
    assert refused.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "beside",
        "signet",
        "share/signet-other",
        "none",
        "share/signet/worker/workspaces/scribe",
        "share/signet/worker/workspaces/scribe/out",
        "beside/link/worker/workspaces/scribe",
    ],
)
def test_the_workspace_and_what_is_beside_may_be_shown(home: Path, name: str) -> None:
    check(home, name, "read_write")
