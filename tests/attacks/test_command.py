"""The suite by command: as the worker's own module, and as the doctor's."""

import json
import subprocess
import sys

from tests.attacks.conftest import ROOT
from workers.attacks.areas import everything


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", *argv], check=False, capture_output=True, text=True, cwd=ROOT)


def test_attacks_are_listed_without_being_made() -> None:
    listed = run("workers.attacks", "--list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [attack.name for attack in everything()]


def test_an_area_that_there_is_not_is_wrong_usage() -> None:
    refused = run("workers.attacks", "--area", "netwrk")
    assert refused.returncode == 2
    assert "network" in refused.stderr


def test_the_doctor_prints_a_table_of_an_area() -> None:
    shown = run("signet.cli", "doctor", "--sandbox", "--area", "dns", "--tier", "standard")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert next(line.split() for line in shown.stdout.splitlines() if "dns" in line)[1] == "8"
    assert "\x1b" not in shown.stderr, "no progress line where nobody watches"


def test_the_doctor_prints_json() -> None:
    shown = run("signet.cli", "doctor", "--sandbox", "--area", "dns", "-o", "json")
    told = json.loads(shown.stdout)
    assert told["sound"] is True
    assert {one["tier"] for one in told["attacks"]} == {"standard", "strict"}
    assert {"id", "area", "title", "wins", "tier", "state", "detail", "reason", "seconds"} == set(told["attacks"][0])


def test_the_doctor_says_which_areas_there_are() -> None:
    refused = run("signet.cli", "doctor", "--sandbox", "--area", "netwrk")
    assert refused.returncode == 1
    assert "network" in refused.stderr


def test_words_about_attacks_go_with_the_sandbox() -> None:
    refused = run("signet.cli", "doctor", "--area", "network")
    assert refused.returncode == 2
    assert "--sandbox" in refused.stderr
