"""`signet run` and `signet runs`: where the input comes from, what is printed, and how it ends."""

import json
from typing import Any

import pytest

from signet.v1 import runs_pb2 as pb
from tests.fakes.control import Hold, failed
from tests.fakes.hosted import Hosted
from tests.unit.cli.conftest import Cli


def test_runs_show_has_the_same_shape(cli: Cli) -> None:
    made = json.loads(cli.run("run", "assistant", "hi", "-o", "json").stdout)

    for name in (made["name"], made["name"].partition("/")[2][:13], "last"):
        assert json.loads(cli.run("runs", "show", name, "-o", "json").stdout) == made


def test_jsonl_is_a_line_for_each_event_and_so_is_a_watch(cli: Cli) -> None:
    done = cli.run("run", "assistant", "hi", "-o", "jsonl")

    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["created"]["input"] == "hi"
    assert events[-1]["finished"]["outcome"] == "SUCCEEDED"

    watched = cli.run("runs", "watch", "last", "-o", "json")
    assert watched.returncode == 0
    assert watched.stdout == done.stdout
    assert cli.run("runs", "watch", "last", "--after", str(len(events)), "-o", "json").stdout == ""


def test_a_record_is_whole(cli: Cli) -> None:
    cli.run("run", "assistant", "hi")

    record = json.loads(cli.run("runs", "record", "last").stdout)

    assert set(record) == {"run", "events", "exchanges", "tool_calls", "stamp_sources", "digest"}
    assert record["events"][-1]["finished"]["output"]


@pytest.mark.parametrize(
    ("args", "stdin", "heard"),
    [
        ((), b"from a pipe\n", "from a pipe"),
        (("-",), b"from a pipe\n", "from a pipe"),
        (("Explain:", "-"), b"two\nlines\n", "Explain: two\nlines"),
        (("words", "win"), b"not read", "words win"),
    ],
)
def test_where_the_input_comes_from(cli: Cli, fleet: Hosted, args: tuple[str, ...], stdin: bytes, heard: str) -> None:
    assert cli.run("run", "assistant", *args, stdin=stdin).returncode == 0
    assert fleet.state.asked(pb.CreateRunRequest)[0].input == heard


@pytest.mark.parametrize(
    ("args", "stdin", "says"),
    [
        ((), b"", "standard input is empty"),
        (("-",), b" \n", "standard input is empty"),
        ((" ",), b"", "input: is empty"),
        (("-",), b"fine \xff\xfe", "standard input is not UTF-8: byte 6 is 0xff"),
        ((b"caf\xe9",), b"", "not valid UTF-8 at character 4"),
        (("-",), b"x" * (2 << 20), "over 1 MiB"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_run(
    cli: Cli, fleet: Hosted, args: tuple[str | bytes, ...], stdin: bytes, says: str
) -> None:
    done = cli.run("run", "assistant", *args, stdin=stdin)

    assert done.returncode == 2
    assert says in done.stderr
    assert not done.stdout
    assert not fleet.state.runs


def test_a_failed_run_exits_with_1_and_says_why(cli: Cli, fleet: Hosted) -> None:
    fleet.state.scripts["fail"] = (failed("MODEL_UNAVAILABLE", "acme/big did not answer"),)

    done = cli.run("run", "assistant", "fail")

    assert done.returncode == 1
    assert "failed: acme/big did not answer (MODEL_UNAVAILABLE)" in done.stderr
    shape = json.loads(cli.run("run", "assistant", "fail", "-o", "json").stdout)
    assert shape["state"] == "FAILED"
    assert shape["error"] == {"reason": "MODEL_UNAVAILABLE", "message": "acme/big did not answer"}


def test_a_timeout_cancels_the_run_and_exits_with_124(cli: Cli, fleet: Hosted) -> None:
    fleet.state.scripts["held"] = (Hold(),)

    done = cli.run("run", "assistant", "held", "--timeout", "0.2")

    assert done.returncode == 124
    assert "did not end within 0.2 s" in done.stderr
    assert fleet.state.asked(pb.CancelRunRequest)


def test_pages_of_runs_go_on_and_belong_to_their_list(cli: Cli) -> None:
    for index in range(3):
        cli.run("run", "assistant", f"number {index}")

    first = cli.run("runs", "list", "--limit", "2", "-o", "name")
    assert len(first.stdout.split()) == 2
    token = first.stderr.split()[-1]

    rest = cli.run("runs", "list", "--limit", "2", "--page-token", token, "-o", "name")
    assert len(rest.stdout.split()) == 1
    assert not rest.stderr
    assert not set(rest.stdout.split()) & set(first.stdout.split())

    other = cli.run("runs", "list", "--agent", "assistant", "--page-token", token)
    assert other.returncode == 2
    assert "belongs to another list" in other.stderr
    garbage = cli.run("session", "list", "--page-token", "garbage")
    assert garbage.returncode == 2
