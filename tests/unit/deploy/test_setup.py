"""Setting up says what is missing and how to mend it."""

import pytest

from deploy import setup


@pytest.mark.parametrize(
    "line",
    [
        "Temporary failure in name resolution",
        "ERROR: Could not find a version that satisfies the requirement click (from versions: none)",
        "Network is unreachable",
    ],
)
def test_a_machine_without_a_network_is_told_so(line: str) -> None:
    assert "cannot reach its package index" in setup.failure("Installing", ["Collecting click", line])


def test_another_failure_shows_the_commands_own_words() -> None:
    told = setup.failure("Installing", ["error: no space left on device"])
    assert "no space left on device" in told
    assert "package index" not in told


def test_a_failing_command_is_an_error_with_its_last_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(setup.SetupError, match="it broke"):
        setup.run("Trying", ["sh", "-c", "echo it broke >&2; exit 3"], setup.silent)
    assert capsys.readouterr().out == "Trying\n"


def test_a_silent_command_says_how_long_it_has_been_at_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "QUIET_SECONDS", 0.05)
    setup.run("Trying", ["sh", "-c", "read line < /dev/null; sleep 0.3"], setup.silent)
    assert "…" in capsys.readouterr().out


def test_whoever_is_no_root_is_told_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "missing_debian", lambda _: ["python3-venv", "libgomp1"])
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(setup.SetupError, match=r"sudo apt-get install .*python3-venv libgomp1"):
        setup.debian("up")


def test_pip_is_shown_where_it_takes_long() -> None:
    assert setup.pip_progress("Downloading xllamacpp-2026.10-cp310-abi3.whl (33.8 MB)") == "xllamacpp (33.8 MB)"
    assert setup.pip_progress("Installing collected packages: a, b") == "putting 2 in place"
    assert setup.pip_progress("Collecting a") == ""
