"""The frame of the CLI: quick help, suggestions, one road for every failure."""

import os
import subprocess
import sys
from collections.abc import Mapping

import click
import pytest

from signet.cli import codes
from signet.cli.failure import Failure
from signet.cli.main import ENTRIES, cli, main
from signet.kit.errors import NotFound, invalid

QUICK = {"click", "signet"}
"""What help, completion and the version may load, beside the standard library."""

CALLING = QUICK | {
    "google", "grpc", "wcwidth",
    # gRPC's own; of the last three it loads the empty package where it is installed
    "cython_runtime", "typing_extensions", "grpc_tools", "grpc_health", "grpc_reflection",
}  # fmt: skip
"""What a command that calls the fleet may load."""

_LISTING = """
import contextlib, io, sys
from signet.cli.main import main
with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())), contextlib.redirect_stderr(io.StringIO()):
    main(sys.argv[1:])
loaded = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(" ".join(sorted(name for name in loaded if not name.startswith(("_", "sitecustomize")))))
"""


def loaded_by(*args: str, env: Mapping[str, str] | None = None) -> set[str]:
    argv = [sys.executable, "-c", _LISTING, *args]
    given = os.environ | dict(env or {})
    run = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60, env=given)
    return set(run.stdout.split())


@pytest.mark.parametrize("words", ["signet a", "signet agent l", "signet run --"])
def test_completing_a_word_loads_next_to_nothing(words: str) -> None:
    env = {"_SIGNET_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}

    assert loaded_by(env=env) <= QUICK


def test_a_command_is_completed() -> None:
    names = [item.value for item in cli().shell_complete(click.Context(cli()), "ru")]

    assert names == ["run", "runs"]


@pytest.mark.parametrize(
    "line", ["--help", "agent --help", "runs list --help", "run --help", "chat --help", "completion zsh", "version"]
)
def test_help_loads_next_to_nothing(line: str) -> None:
    assert loaded_by(*line.split()) <= QUICK


def test_a_call_loads_grpc_but_no_drawing() -> None:
    loaded = loaded_by("agent", "list", "--data", "/nonexistent")

    assert "grpc" in loaded
    assert loaded <= CALLING


@pytest.mark.parametrize("name", [name for name in ENTRIES if ENTRIES[name].where.startswith("signet.")])
def test_every_entry_of_the_table_is_a_command_of_that_name(name: str) -> None:
    command = ENTRIES[name].load()

    assert command.name == name
    assert command.get_short_help_str(200)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in ENTRIES)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("agnet list", "Did you mean `agent` or"),
        ("agent lst", "Did you mean `list`"),
        ("runs list --state done", "'done' is not one of"),
        ("agent show", "missing argument 'NAME'"),
        ("control --set nonsense", "must be key=value"),
        ("run assistant x --timeout 0", "0 is not in the range"),
    ],
)
def test_a_bad_command_line_says_what_would_be_right(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == codes.USAGE

    shown = capsys.readouterr()
    assert says in shown.err
    assert "--help" in shown.err
    assert not shown.out


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == codes.USAGE
    assert "Usage: signet" in capsys.readouterr().out


@pytest.mark.parametrize("topic", ["output", "exit-codes", "environment"])
def test_help_topics(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", topic]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 4


def test_every_exit_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    main(["help", "exit-codes"])

    shown = capsys.readouterr().out
    used = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}
    assert used == set(codes.MEANINGS)
    assert all(meaning in shown for meaning in codes.MEANINGS.values())


def test_several_bad_fields_are_shown_each(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure.of(invalid(("agent.name", "must be short"), ("agent.soul", "is unknown")))

    failure.show(as_json=False, color=False)

    assert failure.code == codes.USAGE
    assert capsys.readouterr().err == (
        "error: 2 fields are bad\n  agent.name: must be short\n  agent.soul: is unknown\n"
    )


def test_a_program_is_told_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    Failure.of(NotFound("RUN_NOT_FOUND", "no such run", hint="signet runs list")).show(as_json=True, color=None)

    assert capsys.readouterr().err == (
        '{"error": {"exit_code": 3, "code": "NOT_FOUND", "reason": "RUN_NOT_FOUND", "message": "no such run", '
        '"hint": "signet runs list", "violations": []}}\n'
    )


def test_a_fault_of_ours_is_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("signet.cli.version.installed", burst)

    assert main(["version"]) == codes.FAILED
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: planted" in shown
    assert "Traceback" not in shown

    monkeypatch.setenv("SIGNET_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["version"])


def test_what_was_said_before_the_command_counts_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    command = ENTRIES["version"].load()

    @click.pass_obj
    def see(call: object) -> None:
        seen.append(call)

    monkeypatch.setattr(command, "callback", see)
    main(["--data", "/a", "-q", "version", "-o", "json"])
    main(["--data", "/a", "version", "--data", "/b", "--no-color"])

    assert [getattr(call, "data") for call in seen] == ["/a", "/b"]  # noqa: B009 - it is an object here
    assert [getattr(call, "quiet") for call in seen] == [True, False]  # noqa: B009 - as above
    assert [getattr(call, "color") for call in seen] == [None, False]  # noqa: B009 - as above
    assert not capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_every_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_SIGNET_COMPLETE" in capsys.readouterr().out


def test_the_root_knows_its_commands_without_loading_them() -> None:
    assert cli().list_commands(click.Context(cli())) == list(ENTRIES)
