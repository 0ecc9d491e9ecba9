"""What may be asked for, and that it arrives as it was sent."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workers.sandbox.spec import Command, Entry, Limits, Spec

PLAIN = Spec(name="box", workspace=Path("/srv/box"))


def test_a_spec_survives_the_wire() -> None:
    spec = Spec(
        name="assistant-1",
        workspace=Path("/srv/assistant"),
        host_uid=200_001,
        listeners={"inference": ("127.0.0.2", 80)},
        limits=Limits(processes=5),
        env={"A": "ä"},
        read_only=(Path("/opt/x"),),
        bind_ports=(8642,),
        best_effort=frozenset({"landlock"}),
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
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(PLAIN, **wanted)


@pytest.mark.parametrize("wanted", [{"processes": 0}, {"tmp_bytes": -1}, {"file_bytes": 1.5}, {"open_files": 100}])
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
