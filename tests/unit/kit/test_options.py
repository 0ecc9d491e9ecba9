from dataclasses import dataclass
from pathlib import Path

import pytest

from signet.kit.home import Home
from signet.kit.options import OptionsError, load


@dataclass(frozen=True)
class Options:
    """A sample."""

    port: int = 7410
    lease_seconds: float = 10.0
    embedded: bool = True
    gguf: Path = Path("model.gguf")
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        if self.port > 65535:
            raise ValueError("port must be 0 to 65535")


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.config.write_text("control:\n  port: 1\n  host: file\n  embedded: no\nrouter:\n  port: 9\n")
    monkeypatch.setenv("SIGNET_CONTROL_HOST", "environment")
    monkeypatch.setenv("SIGNET_CONTROL_PORT", "2")

    assert load(Options, "control", home, {"port": "3"}) == Options(port=3, host="environment", embedded=False)


def test_all_problems_are_told_at_once_with_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.config.write_text("control:\n  prot: 1\n  embedded: maybe\n")
    monkeypatch.setenv("SIGNET_CONTROL_PORT", "many")

    with pytest.raises(OptionsError) as caught:
        load(Options, "control", home, {"lease": "1"})

    text = str(caught.value)
    assert f"{home.config}:2: control.prot is no option. Did you mean port?" in text
    assert f"{home.config}:3: control.embedded must be on or off" in text
    assert "SIGNET_CONTROL_PORT: control.port must be a whole number, not 'many'" in text
    assert "--set lease: no option of control" in text


@pytest.mark.parametrize("content", ["- a list", "control: 5", "control: [", "\x00"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    home = Home(tmp_path)
    home.config.write_text(content)

    with pytest.raises(OptionsError, match=r"config\.yaml"):
        load(Options, "control", home, {})


def test_a_value_that_the_options_refuse_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="control: port must be 0 to 65535"):
        load(Options, "control", Home(tmp_path), {"port": "70000"})
