"""What a fleet consists of, and which ports it takes."""

from pathlib import Path

import pytest

from signet.kit.home import Home
from signet.up.plan import DOORS, Choices, plan, port

WEB, CONTROL, ROUTER = DOORS


def test_every_need_is_started_before_whoever_has_it() -> None:
    seen: set[str] = set()
    for program in plan(Home(Path("/nowhere")), Choices()):
        assert set(program.needs) <= seen
        seen.add(program.name)
    assert seen == {"control", "router", "worker", "web"}


def test_choices_are_said_in_the_programs_own_words() -> None:
    told = Choices({"web": 0, "router": 7}, embedded=False).environment()
    assert told == {"SIGNET_WEB_PORT": "0", "SIGNET_ROUTER_PORT": "7", "SIGNET_ROUTER_EMBEDDED": "off"}


def test_a_port_is_what_was_said_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNET_WEB_PORT", raising=False)
    home = Home(tmp_path)
    assert port(WEB, home, Choices()) == 7400
    home.config.write_text("web:\n  port: 1\nrouter:\n  port: 3\n")
    assert (port(WEB, home, Choices()), port(ROUTER, home, Choices())) == (1, 3)
    monkeypatch.setenv("SIGNET_WEB_PORT", "2")
    assert port(WEB, home, Choices()) == 2
    assert port(WEB, home, Choices({"web": 0})) == 0


@pytest.mark.parametrize("text", ["web: [", "- 1", "web: 7", "web:\n  port: many", "\0"])
def test_a_config_that_says_nothing_clear_is_left_to_the_program(text: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.config.write_text(text)
    assert port(CONTROL, home, Choices()) == 7410
    assert port(WEB, home, Choices()) == 7400
