"""Which group is whose, and what is written to one."""

from pathlib import Path

import pytest

from workers.sandbox.cgroups import LEAF, Groups, Place, locate
from workers.sandbox.group import settings
from workers.sandbox.spec import Limits

LIMITS = Limits(memory_bytes=1 << 30, cpu=1.5, processes=100)
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V2_IN_CONTAINER = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw"
V1 = "\n".join(
    f"{number} 31 0:{number} / /sys/fs/cgroup/{name} rw,relatime - cgroup cgroup rw,{name}"
    for number, name in enumerate(("cpu,cpuacct", "memory", "pids", "freezer"), 40)
)
V1_MEMBER = "4:memory:/\n3:cpu,cpuacct:/user.slice\n2:pids:/\n1:name=systemd:/x\n0::/user.slice"
HYBRID = f"{V1}\n41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"


def test_a_unified_hierarchy_has_all_controllers_in_one_place() -> None:
    folder = Path("/sys/fs/cgroup/user.slice/x.scope")
    assert locate("0::/user.slice/x.scope\n", V2) == dict.fromkeys(("memory", "cpu", "pids"), Place(2, folder, False))


@pytest.mark.parametrize(("path", "top"), [("/", True), (f"/{LEAF}", True), ("/init.scope", False)])
def test_the_root_of_what_is_mounted_is_the_top_and_so_is_the_leaf_we_made_in_it(path: str, *, top: bool) -> None:
    assert locate(f"0::{path}", V2)["memory"].top is top


def test_a_container_sees_its_own_group_as_the_root() -> None:
    assert locate("0::/docker/abc", V2_IN_CONTAINER)["cpu"] == Place(2, Path("/sys/fs/cgroup"), True)
    assert locate("0::/elsewhere", V2_IN_CONTAINER) == {}


def test_version_1_has_a_place_for_each_controller_also_beside_a_unified_one() -> None:
    for mounts in (V1, HYBRID):
        assert locate(V1_MEMBER, mounts) == {
            "memory": Place(1, Path("/sys/fs/cgroup/memory"), True),
            "cpu": Place(1, Path("/sys/fs/cgroup/cpu,cpuacct/user.slice"), False),
            "pids": Place(1, Path("/sys/fs/cgroup/pids"), True),
        }


def test_a_controller_is_taken_where_it_is_mounted() -> None:
    only_memory = "\n".join(line for line in HYBRID.splitlines() if "memory" in line or "cgroup2" in line)
    found = locate(V1_MEMBER, only_memory)
    assert {name: place.version for name, place in found.items()} == {"memory": 1, "cpu": 2, "pids": 2}


def test_no_cgroups_are_no_places() -> None:
    assert locate("", "23 1 0:20 / /proc rw - proc proc rw") == {}


@pytest.mark.parametrize(
    ("version", "controller", "written"),
    [
        (2, "memory", {"memory.max": "1073741824"}),
        (2, "cpu", {"cpu.max": "150000 100000"}),
        (2, "pids", {"pids.max": "100"}),
        (1, "memory", {"memory.limit_in_bytes": "1073741824"}),
        (1, "cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000"}),
        (1, "pids", {"pids.max": "100"}),
    ],
)
def test_limits_are_written_as_the_version_wants_them(version: int, controller: str, written: dict[str, str]) -> None:
    assert settings(version, controller, LIMITS) == written


def test_a_group_is_made_only_for_what_is_asked_and_can_be_had() -> None:
    groups = Groups(1, {"cpu": Path("/c"), "pids": Path("/p")}, "owner")
    assert groups.serving(LIMITS) - {"pids"} == {"cpu"}
    assert groups.serving(Limits(memory_bytes=1 << 30)) == set()
    assert groups.serving(Limits()) == set()
    assert Groups(0, {}, "owner").serving(LIMITS) == set()
    unified = Groups(2, dict.fromkeys(("memory", "cpu", "pids"), Path("/u")), "owner")
    assert unified.serving(Limits(cpu=1.0)) == {"cpu", "pids"}


def test_version_2_moves_the_worker_to_a_leaf_and_switches_on_what_is_lacking(tmp_path: Path) -> None:
    for name, text in {"cgroup.subtree_control": "pids\n", "cgroup.events": "", "cgroup.procs": "17\n"}.items():
        (tmp_path / name).write_text(text)
    made = Groups(2, dict.fromkeys(("memory", "cpu", "pids"), tmp_path), "owner").make("1.box", LIMITS)
    assert (tmp_path / LEAF / "cgroup.procs").read_text() == "17"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"  # a file keeps what is written last
    made.place(99)
    written = {path.name: path.read_text() for path in (tmp_path / "owner.1.box").iterdir()}
    assert written == {"memory.max": "1073741824", "cpu.max": "150000 100000", "pids.max": "100", "cgroup.procs": "99"}
    assert made.controllers == ("cpu", "memory", "pids")
    assert not made.remove()  # a folder of files, as one with processes in it


def test_a_group_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "owner.1.box").mkdir()
    (tmp_path / "memory").mkdir()
    groups = Groups(1, {"cpu": tmp_path, "memory": tmp_path / "nowhere"}, "owner")
    with pytest.raises(OSError, match=r"owner\.1\.box"):
        groups.make("1.box", LIMITS)
    assert not (tmp_path / "nowhere").exists()
