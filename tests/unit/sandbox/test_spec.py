"""What may be asked for, and that it arrives as it was sent."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workers.sandbox.spec import Command, Entry, Limits, Spec

AMOUNTS = [{"memory_bytes": 1}, {"memory_bytes": -1}, {"disk_bytes": -1}, {"cpu": -1.0}, {"cpu": 0.001}, {"cpu": 1e9}]
PLAIN = Spec(name="box", workspace=Path("/srv/box"))


def test_a_spec_survives_the_wire() -> None:
    spec = Spec(
        name="assistant-1",
        workspace=Path("/srv/assistant"),
        host_uid=200_001,
        listeners={"inference": ("127.0.0.2", 80)},
        limits=Limits(processes=5, memory_bytes=1 << 30, cpu=1.5, disk_bytes=1 << 30),
        env={"A": "ä"},
        read_only=(Path("/opt/x"),),
        bind_ports=(8642,),
        best_effort=frozenset({"landlock"}),
        tier="strict",
        workspace_mode="read-only",
        read_write=(Path("/srv/data"),),
        files={"/etc/signet/ca.pem": Path("/srv/ca.pem")},
    )
    assert Spec.from_wire(json.loads(json.dumps(spec.to_wire()))) == spec


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"name": ""}, "no sandbox name"),
        ({"name": "Upper"}, "no sandbox name"),
        ({"name": "-dash"}, "no sandbox name"),
        ({"name": "a/b"}, "no sandbox name"),
        ({"name": "x" * 64}, "no sandbox name"),
        ({"workspace": Path("relative")}, "absolute"),
        ({"read_only": (Path("also/relative"),)}, "absolute"),
        ({"host_uid": 0}, "belong to the system"),
        ({"host_uid": 999}, "belong to the system"),
        ({"listeners": {"a": ("10.0.0.1", 80)}}, "127.x address"),
        ({"listeners": {"a": ("127.0.0.1", 0)}}, "127.x address"),
        ({"bind_ports": (70_000,)}, "no port"),
        ({"best_effort": frozenset({"network"})}, "may name"),
        ({"tier": "paranoid"}, "standard, strict"),
        ({"workspace_mode": "rw"}, "read-write, read-only, off"),
        ({"read_only": (Path("/"),)}, "has its own there"),
        ({"read_only": (Path("/proc/1"),)}, "has its own there"),
        ({"read_only": (Path("/etc/signet"),)}, "has its own there"),
        ({"read_only": (Path("/srv/../etc"),)}, "without `..`"),
        ({"read_only": (Path("/workspace/a"),)}, "has its own there"),
        ({"read_only": (Path("/srv/box/link"),)}, "can write to /srv/box"),
        ({"read_write": (Path("/tmp"),)}, "has its own there"),  # noqa: S108 - a name
        ({"read_write": (Path("/dev/shm"),)}, "has its own there"),  # noqa: S108 - a name
        ({"read_write": (Path("/etc/cron.d"),)}, "belongs to the system"),
        ({"read_write": (Path("/usr"),)}, "belongs to the system"),
        ({"read_write": (Path("/srv/box"),)}, "can write to /srv/box"),
        ({"read_write": (Path("/srv/a"),), "read_only": (Path("/srv/a/b"),)}, "can write to /srv/a"),
        ({"read_write": (Path("/srv/a"), Path("/srv/a/b"))}, "can write to /srv/a"),
        ({"files": {"/etc/passwd": Path("/srv/p")}}, "/etc/signet/NAME"),
        ({"files": {"/etc/signet/../passwd": Path("/srv/p")}}, "/etc/signet/NAME"),
        ({"files": {"/etc/signet/..": Path("/srv/p")}}, "/etc/signet/NAME"),
        ({"files": {"/etc/signet/a": Path("p")}}, "absolute"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(PLAIN, **wanted)


@pytest.mark.parametrize(
    "wanted", [{"processes": 0}, {"tmp_bytes": -1}, {"file_bytes": 1.5}, {"open_files": 100}, *AMOUNTS]
)
def test_limits_that_make_no_sense_are_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"limits\."):
        Limits(**wanted)


@pytest.mark.parametrize("target", ["", "module", "module:", ":main", "a b:main", "module:main()", "m:a.b"])
def test_an_entry_names_a_module_and_a_function(target: str) -> None:
    with pytest.raises(ValueError, match="no entry"):
        Entry(target)


@pytest.mark.parametrize("argv", [(), ("a\0b",)])
def test_a_command_has_words_that_can_be_passed(argv: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="command"):
        Command(argv)
