"""Runs that end otherwise: cancelled, out of time, by a runtime that misbehaves. Each says why; the worker goes on."""

import asyncio
import json
from typing import Any

import pytest

from signet.kit.errors import InvalidArgument, ResourceExhausted
from signet.v1 import runs_pb2
from tests.fakes.door import STREAM, chunk
from tests.integration.worker.conftest import EXEC, Begun, Bench, Wait, inside
from workers.sandbox.spec import Entry

FAILED, CANCELLED = runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED


async def test_a_cancel_in_the_middle_of_a_token_keeps_the_text_and_lets_the_model_go(bench: Bench) -> None:
    bench.door.answers = [[STREAM, chunk(b"data: Once\n\n"), asyncio.Event()]]
    async with bench.worker():
        run = await bench.run(["stream", {"model": "fake/small"}])
        await bench.work.seen(run, "text")
        bench.work.direct(cancel_run=run)
        ending = await bench.work.outcome(run)
        await bench.door.dropped.wait()
    assert (ending.outcome, ending.error.reason, ending.output) == (CANCELLED, "CANCELLED", "Once")
    assert [message["content"] for message in json.loads(ending.messages)][1] == "Once"
    kinds = [event.WhichOneof("kind") for event in bench.work.events[run]]
    assert kinds[-2:] == ["cancel_requested", "model_call_finished"]
    [call] = bench.work.of(run, "model_call_finished")
    assert bench.work.blobs[call.model_call_finished.response_digest] == b"data: Once\n\n"
    assert call.model_call_finished.error == "the run ended"


async def test_a_cancel_in_the_middle_of_a_command_kills_it_and_says_cancelled(
    bench: Bench, begun: Begun, eventually: Wait
) -> None:
    async with bench.worker():
        run = await bench.run(["call", "a", "exec", {"command": "echo on; exec sleep 3600"}], ["take", 1])
        await bench.work.seen(run, "tool_output")
        before = await begun("sleep")
        bench.work.direct(cancel_run=run)
        bench.work.direct(cancel_run=run)
        ending = await bench.work.outcome(run)
        await eventually(lambda: not inside("sleep") & before)
    [call] = bench.work.of(run, "tool_call_finished")
    assert (call.tool_call_finished.result, call.tool_call_finished.is_error) == ("cancelled", True)
    assert ending.outcome == CANCELLED


async def test_a_cancel_that_was_asked_for_before_the_claim_is_heeded(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run("hang", run={"cancel_requested": True})
        ending = await bench.work.outcome(run)
    assert ending.outcome == CANCELLED


async def test_a_run_that_never_ends_ends_at_its_deadline(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(["say", "so far"], "hang", limits={"max_seconds": 3})
        ending = await bench.work.outcome(run)
    assert (ending.outcome, ending.error.reason, ending.output) == (FAILED, "DEADLINE_EXCEEDED", "so far")
    assert "limits.max_seconds" in ending.error.message


CRASHES: dict[str, tuple[list[Any], str]] = {
    "an exit code": ([["err", "Traceback: the last words\n"], ["leave", 3]], "exit code 3"),
    "a signal": ([["die", 9]], "SIGKILL"),
    "no finish": ([["say", "x"]], "exit code 0"),
    "a closed socket": (["close"], "closed its socket"),
    "children that hold the socket": ([["fork", 2], ["leave", 4]], "exit code 4"),
    "no JSON": ([["raw", "{nonsense}\n"], "hang"], "not JSON"),
    "no object": ([["raw", "[]\n"], "hang"], "not a JSON object"),
    "an unknown frame": ([["frame", {"type": "dance"}], "hang"], "no known type"),
    "a call without arguments": ([["frame", {"type": "tool_call", "id": "a", "tool": "exec"}], "hang"], "arguments"),
    "an id used twice": (
        [["call", "a", "exec", {"command": "sleep 9"}], ["call", "a", "exec", {"command": ""}], "hang"],
        "in use",
    ),
    "messages that are none": ([["frame", {"type": "finish", "output": "", "messages": 1}], "hang"], "list"),
    "JSON too deep": ([["raw", "[" * 100_000 + "\n"], "hang"], "not JSON"),
}


@pytest.mark.parametrize("how", CRASHES)
async def test_a_runtime_that_dies_or_talks_nonsense_is_said_to_have_crashed(bench: Bench, how: str) -> None:
    actions, said = CRASHES[how]
    async with bench.worker():
        run = await bench.run(*actions)
        ending = await bench.work.outcome(run)
        after = await bench.work.outcome(await bench.run("processes", "finish"))
    assert (ending.outcome, ending.error.reason) == (FAILED, "RUNTIME_CRASHED")
    assert said in ending.error.message
    assert after.outcome == runs_pb2.RUN_STATE_SUCCEEDED
    assert json.loads(after.output) == [2]


async def test_a_runtime_that_died_is_quoted_with_its_last_words(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(["err", "noise\n", 5000], ["err", "ValueError: the last words\n"], ["leave", 1])
        ending = await bench.work.outcome(run)
    assert ending.error.message.endswith("ValueError: the last words")
    assert len(ending.error.message) < 5000


FLOODS: dict[str, tuple[list[Any], str]] = {
    "a line of a gigabyte": ([["raw", "x" * 1024, 1024 * 1024], "hang"], "a line of more than 4194304 bytes"),
    "text": ([["say", "x" * 65536, 1024], "hang"], "characters of text"),
    "standard error": ([["err", "x" * 65536, 1024], "hang"], "standard output and error"),
    "notices": ([["frame", {"type": "notice", "code": "c", "message": "m"}]] * 1001 + ["hang"], "notices"),
    "calls": ([["call", str(n), "exec", {"command": "sleep 60"}] for n in range(65)] + ["hang"], "64 tool calls"),
}


@pytest.mark.parametrize("what", FLOODS)
async def test_a_runtime_that_floods_its_worker_is_killed_and_others_go_on(bench: Bench, what: str) -> None:
    actions, said = FLOODS[what]
    async with bench.worker():
        beside = await bench.run(["hold", "go"], ["finish", "beside"], agent="other")
        await bench.work.seen(beside, "sandbox_opened")
        run = await bench.run(*actions)
        ending = await bench.work.outcome(run)
        (bench.home.workspaces / "other" / "go").touch()
        assert (await bench.work.outcome(beside)).output == "beside"
    assert (ending.outcome, ending.error.reason) == (FAILED, "RUNTIME_FLOODED")
    assert said in ending.error.message


async def test_a_run_of_which_control_keeps_no_more_ends_and_says_so(bench: Bench) -> None:
    def full(method: str, request: Any) -> ResourceExhausted | None:
        if method == "AppendEvents" and any(event.HasField("text") for event in request.events):
            return ResourceExhausted("LIMIT_REACHED", "the run may have 3 events")
        return None

    bench.work.fault = full
    async with bench.worker():
        run = await bench.run(["say", "too much"], "hang")
        ending = await bench.work.outcome(run)
    assert (ending.error.reason, ending.error.message) == ("RUNTIME_FLOODED", "the run may have 3 events")


async def test_a_last_word_that_control_refuses_ends_the_run_and_leaves_none_without_end(bench: Bench) -> None:
    def refuse(method: str, request: Any) -> InvalidArgument | None:
        bad = method in ("AppendEvents", "FinishRun") and any(event.HasField("text") for event in request.events)
        return InvalidArgument("INVALID_FIELD", "events[0].text: bad") if bad else None

    bench.work.fault = refuse
    async with bench.worker():
        ending = await bench.work.outcome(await bench.run(["say", "bad"], ["finish", "good"]))
    assert (ending.outcome, ending.error.reason) == (FAILED, "INTERNAL")
    assert "events[0].text: bad" in ending.error.message


async def test_a_runtime_fails_only_with_reasons_that_are_its_own(bench: Bench) -> None:
    async with bench.worker():
        honest = await bench.run(["frame", {"type": "fail", "reason": "ROUNDS_EXHAUSTED", "message": "24 rounds"}])
        liar = await bench.run(["frame", {"type": "fail", "reason": "WORKER_LOST", "message": "m"}])
        endings = [await bench.work.outcome(run) for run in (honest, liar)]
    assert [ending.error.reason for ending in endings] == ["ROUNDS_EXHAUSTED", "INTERNAL"]
    assert endings[0].error.message == "24 rounds"


async def test_a_run_whose_runtime_is_not_here_says_so(bench: Bench) -> None:
    async with bench.worker():
        ending = await bench.work.outcome(await bench.run(runtime="hermes"))
    assert ending.outcome == FAILED
    assert "hermes" in ending.error.message


async def test_a_runtime_that_cannot_be_started_says_so(bench: Bench) -> None:
    async with bench.worker(runtimes={"scripted": Entry("tests.fakes.runtimes.nowhere:main")}):
        ending = await bench.work.outcome(await bench.run("finish"))
    assert (ending.outcome, ending.error.reason) == (FAILED, "INTERNAL")
    assert "was not preloaded" in ending.error.message


async def test_a_sandbox_that_cannot_be_opened_names_the_layer_and_what_helps(bench: Bench) -> None:
    async with bench.worker():
        (bench.home.workspaces / "scribe").write_text("in the way")
        ending = await bench.work.outcome(await bench.run("finish"))
    assert (ending.outcome, ending.error.reason) == (FAILED, "SANDBOX_FAILED")
    assert "workspace" in ending.error.message


async def test_an_answer_or_a_history_without_end_is_cut_and_says_so(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(["sprawl", 1_500_000, 1_700_000])
        ending = await bench.work.outcome(run)
    assert ending.outcome == runs_pb2.RUN_STATE_SUCCEEDED
    assert len(ending.output) == 1024 * 1024
    assert ending.output.endswith("[The answer was cut here.]")
    assert [event.notice.code for event in bench.work.of(run, "notice")] == ["history_cut"]
    question, answer = json.loads(ending.messages)
    assert question["content"].startswith("[[")
    assert ending.output.startswith(answer["content"].partition("[")[0])


TOOL_ENDS = {
    "kill -9 $PPID; sleep 60": "ended without a result",
    "head -c 3000000 /dev/zero | tr '\\0' x": "x",
}


@pytest.mark.parametrize("command", TOOL_ENDS)
async def test_a_tool_that_dies_or_writes_too_much_is_a_result_and_not_the_runs_end(bench: Bench, command: str) -> None:
    async with bench.worker():
        run = await bench.run(["call", "a", "exec", {"command": command}], ["take", 1], "finish", tools=(EXEC,))
        ending = await bench.work.outcome(run)
    [result] = json.loads(ending.output)
    assert TOOL_ENDS[command] in result["content"]
    assert len(result["content"]) <= 1024 * 1024
    shown = sum(len(event.tool_output.text) for event in bench.work.of(run, "tool_output"))
    assert shown <= 1024 * 1024


async def test_a_tool_call_that_does_not_end_is_killed_at_its_bound(bench: Bench) -> None:
    async with bench.worker(tool_seconds=1):
        run = await bench.run(["call", "a", "exec", {"command": "sleep 3600"}], ["take", 1], "finish")
        [result] = json.loads((await bench.work.outcome(run)).output)
    assert result["is_error"]
    assert "1" in result["content"]
