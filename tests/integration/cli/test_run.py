"""`signet run` and `signet runs`, in scripts and pipes."""

import json
import signal
import subprocess
from dataclasses import replace

import pytest

from signet.v1 import agents_pb2
from signet.v1 import runs_pb2 as pb
from tests.fakes.control import Hold, text, tool
from tests.fakes.hosted import Hosted
from tests.integration.cli.conftest import ROOT, Cli

RUN = {
    "name", "agent", "session", "input", "state", "output", "error", "stamp", "usage", "create_time", "start_time",
    "end_time", "worker", "attempts", "record_digest", "last_sequence", "model", "model_calls", "tool_calls",
    "cancel_requested", "record",
}  # fmt: skip


def test_the_answer_alone_is_on_standard_output(cli: Cli) -> None:
    done = cli.run("run", "assistant", "Say", "hello")

    assert (done.returncode, done.stdout) == (0, "Hello from a **fake** fleet.\n")
    assert "signet runs show" in done.stderr


def test_json_is_one_finished_run_with_its_record(cli: Cli, fleet: Hosted) -> None:
    fleet.state.scripts["list"] = (*tool("list_files", '{"path": "."}', "a.txt"), text("There is a.txt."))

    done = cli.run("run", "assistant", "list", "-o", "json")

    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert not done.stderr
    run = json.loads(done.stdout)
    assert set(run) == RUN
    assert run["state"] == "SUCCEEDED"
    assert run["output"] == "There is a.txt."
    assert len(run["record_digest"]) == 64
    assert set(run["stamp"]) == {"digest", "soul", "tools", "runtime", "model", "permissions"}
    assert run["record"]["digest"] == run["record_digest"]
    assert run["record"]["tool_calls"][0]["tool"] == "list_files"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_a_signal_cancels_the_run(cli: Cli, fleet: Hosted, number: signal.Signals, code: int) -> None:
    fleet.state.scripts["held"] = (text("begun"), Hold())
    process = cli.start("run", "assistant", "held", "--stream")
    assert process.stdout
    assert process.stdout.read(5) == b"begun"

    process.send_signal(number)

    _, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"Traceback" not in said
    assert [request.name for request in fleet.state.asked(pb.CancelRunRequest)] == list(fleet.state.runs)


def test_a_reader_that_goes_away_ends_it_quietly_and_cancels_the_run(cli: Cli, fleet: Hosted) -> None:
    pieces = tuple(text("x" * 4096) for _ in range(64))
    fleet.state.scripts["long"] = (text("begun"), *pieces, Hold())
    process = cli.start("run", "assistant", "long", "--stream")
    assert process.stdout
    assert process.stdout.read(5) == b"begun"

    process.stdout.close()

    assert process.wait(30) == 141
    assert process.stderr
    with process.stderr:
        said = process.stderr.read()
    assert b"Broken" not in said
    assert b"Traceback" not in said
    assert fleet.state.asked(pb.CancelRunRequest)


def test_a_list_into_head_is_quiet(cli: Cli, fleet: Hosted) -> None:
    for index in range(1000):  # more than a pipe holds
        fleet.state.agents[f"agents/a{index}"] = agents_pb2.Agent(name=f"agents/a{index}", description="x" * 200)
    line = f"{' '.join(map(str, cli.argv()))} agent list -o json | head -c 1; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(
        ["/bin/bash", "-c", line], capture_output=True, cwd=ROOT, env=cli.environment, timeout=60, check=False
    )

    assert done.stdout == b"[141\n"
    assert not done.stderr


def test_a_watch_that_is_interrupted_leaves_the_run(cli: Cli, fleet: Hosted) -> None:
    fleet.state.scripts["held"] = (text("begun"), Hold())
    runner = cli.start("run", "assistant", "held", "-o", "jsonl")
    assert runner.stdout
    assert b"created" in runner.stdout.readline()
    watcher = cli.start("runs", "watch", "last", "-o", "jsonl")
    assert watcher.stdout
    assert b"created" in watcher.stdout.readline()

    watcher.send_signal(signal.SIGINT)

    watcher.communicate(timeout=30)
    assert watcher.returncode == 130
    assert not fleet.state.asked(pb.CancelRunRequest)
    assert cli.run("runs", "cancel", "last").returncode == 0
    runner.communicate(timeout=30)
    assert runner.returncode == 130
    assert "cancelled" in cli.run("runs", "show", "last").stdout
    assert "is over already" in cli.run("runs", "cancel", "last").stdout


def test_names_of_the_fleet_are_completed(cli: Cli) -> None:
    words = {"COMP_WORDS": "signet agent show as", "COMP_CWORD": "3", "_SIGNET_COMPLETE": "bash_complete"}

    assert replace(cli, env=words).run().stdout == "plain,assistant\n"
