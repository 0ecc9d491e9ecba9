"""Whole runs on a real worker: real sandboxes, sidecar, tools and processes, against a served control and door."""

import asyncio
import json

from signet.v1 import runs_pb2
from tests.fakes.door import json_answer, stream_answer
from tests.fakes.work import RUN_TOKEN
from tests.integration.worker.conftest import EXEC, Bench

USAGE = json.dumps(
    {
        "call": "c",
        "provider": "providers/fake",
        "model": "small",
        "input_tokens": 7,
        "output_tokens": 3,
        "cached_tokens": 1,
        "reasoning_tokens": 2,
        "cost_microusd": 5,
        "estimated": False,
    }
)


def kinds(bench: Bench, run: str) -> list[str]:
    return [str(event.WhichOneof("kind")) for event in bench.work.events[run]]


async def test_a_run_leaves_every_event_in_the_order_in_which_it_happened(bench: Bench) -> None:
    heard = asyncio.Event()
    bench.door.answers = [stream_answer(b"Hel", b"lo", heard, usage=USAGE), json_answer(b"{}", usage=USAGE)]
    async with bench.worker():
        run = await bench.run(
            ["stream", {"model": "fake/small"}],
            ["call", "a", "exec", {"command": "echo done"}],
            ["take", 1],
            ["ask", {"model": "fake/small"}],
            ["say", "done"],
            ["finish", "done"],
        )
        await bench.work.seen(run, "text")
        heard.set()
        ending = await bench.work.outcome(run)
    assert kinds(bench, run) == [
        "sandbox_opened", "model_call_started", "text", "model_call_finished", "tool_call_started", "tool_output",
        "tool_call_finished", "model_call_started", "model_call_finished", "text",
    ]  # fmt: skip
    assert [event.sequence for event in bench.work.events[run]] == list(range(3, 13))
    assert ending.outcome == runs_pb2.RUN_STATE_SUCCEEDED
    assert (ending.output, ending.error.reason) == ("done", "")
    assert json.loads(ending.messages)[0]["role"] == "user"


async def test_the_record_has_each_exchange_whole_with_who_answered_and_what_it_used(bench: Bench) -> None:
    bench.door.answers = [stream_answer(b"Hello", usage=USAGE), json_answer(b'{"a": 1}', usage=USAGE)]
    async with bench.worker():
        run = await bench.run(["stream", {"model": "fake/small"}], ["ask", {"model": "fake/small"}], "finish")
        ending = await bench.work.outcome(run)
    first, second = (event.model_call_finished for event in bench.work.of(run, "model_call_finished"))
    assert (first.index, first.provider, first.upstream_model, first.status) == (1, "providers/fake", "small", 200)
    assert json.loads(bench.work.blobs[first.request_digest]) == {"model": "fake/small"}
    assert bench.work.blobs[first.response_digest] == b"data: Hello\n\ndata: [DONE]\n\n"
    assert bench.work.blobs[second.response_digest] == b'{"a": 1}'
    assert 0 < first.first_byte_micros <= first.duration_micros
    assert json.loads(ending.output) == [[200, '{"a": 1}']]
    for usage in (first.usage, second.usage):
        assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.calls) == (7, 3, 1, 1)
        assert usage.cost_microusd == 5


async def test_a_cost_that_one_call_does_not_know_is_unknown_and_not_zero(bench: Bench) -> None:
    unknown = json.dumps({**json.loads(USAGE), "cost_microusd": None})
    bench.door.answers = [json_answer(b"{}", usage=USAGE), json_answer(b"{}", usage=unknown)]
    async with bench.worker():
        run = await bench.run(["ask", {}], ["ask", {}], "finish")
        await bench.work.outcome(run)
    first, second = (event.model_call_finished.usage for event in bench.work.of(run, "model_call_finished"))
    assert first.cost_microusd == 5
    assert not second.HasField("cost_microusd")
    assert (first.calls, second.calls) == (1, 1)


async def test_a_model_is_asked_in_the_runs_name_and_never_with_what_the_sandbox_sent(bench: Bench) -> None:
    forms = ("/v1/responses", "/v1/responses/input_tokens", "/v1/messages", "/v1/messages/count_tokens")
    paths = ("/v1/embeddings", *forms)
    bench.door.answers = [json_answer(b"{}") for _ in paths]
    async with bench.worker():
        run = await bench.run(*(["ask", {}, path, "sk-of-the-agent"] for path in paths), "finish")
        await bench.work.outcome(run)
    assert [asked.line for asked in bench.door.asked] == [f"POST {path} HTTP/1.1" for path in paths]
    for asked in bench.door.asked:
        assert asked.header("authorization") == [f"Bearer {RUN_TOKEN}"]
        assert asked.header("x-signet-run") == [run]
        assert "sk-of-the-agent" not in repr(asked)


async def test_the_runtime_is_told_all_it_needs(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run("show", "finish", history='[{"role": "user", "content": "before"}]')
        [told] = json.loads((await bench.work.outcome(run)).output)
    assert told["model"] == "fake/small"
    assert told["soul"] == "You are a test."
    assert told["history"] == [{"role": "user", "content": "before"}]
    assert told["tools"][0]["parameters"]["required"] == ["command"]
    assert told["limits"] == {"max_rounds": 24, "max_output_tokens": 100}
    assert told["profile"]["tool_choice"] == "native"


async def test_a_warm_sandbox_serves_the_next_run_of_its_agent_and_nothing_else_of_the_last_one(bench: Bench) -> None:
    async with bench.worker():
        first = await bench.run(["write", "kept.txt", "mine"], ["fork", 3], ["finish", ""])
        await bench.work.outcome(first)
        second = await bench.run(["read", "kept.txt"], "processes", "finish")
        ending = await bench.work.outcome(second)
        other = await bench.run(["read", "kept.txt"], "finish", agent="stranger")
        elsewhere = await bench.work.outcome(other)
    opened = [bench.work.of(run, "sandbox_opened")[0].sandbox_opened for run in (first, second, other)]
    assert [one.warm for one in opened] == [False, True, False]
    assert opened[0].sandbox == opened[1].sandbox != opened[2].sandbox
    assert {layer.name for layer in opened[0].isolation.layers} >= {"seccomp", "landlock"}
    assert json.loads(ending.output) == ["mine", 2]
    assert json.loads(elsewhere.output) == [None]


async def test_two_runs_of_an_agent_at_once_have_a_sandbox_each_over_one_workspace(bench: Bench) -> None:
    async with bench.worker():
        first = await bench.run(["hold", "go"], "processes", "finish")
        await bench.work.seen(first, "sandbox_opened")
        second = await bench.run(["write", "go", ""], ["finish", ""])
        await bench.work.outcome(second)
        ending = await bench.work.outcome(first)
    names = {bench.work.of(run, "sandbox_opened")[0].sandbox_opened.sandbox for run in (first, second)}
    assert len(names) == 2
    assert json.loads(ending.output) == [2]


async def test_tool_calls_run_at_the_same_time_and_results_come_in_any_order(bench: Bench) -> None:
    meet = "touch {0}; while ! test -e {1}; do sleep 0.01; done"
    async with bench.worker():
        run = await bench.run(
            ["call", "a", "exec", {"command": meet.format("a", "b")}],
            ["call", "b", "exec", {"command": meet.format("b", "a")}],
            ["take", 2],
            "finish",
        )
        ending = await bench.work.outcome(run)
    assert {result["id"] for result in json.loads(ending.output)} == {"a", "b"}
    assert not any(result["is_error"] for result in json.loads(ending.output))


async def test_a_tool_call_begins_only_when_control_has_it_on_disk(bench: Bench) -> None:
    """Else a lost worker's run could be offered again although a tool had an effect already."""
    bench.work.lease_seconds = 3
    await bench.work.hang("AppendEvents")
    async with bench.worker():
        run = await bench.run(["call", "a", "exec", {"command": "touch made"}], ["take", 1], "finish")
        await bench.work.until(lambda: "AppendEvents" in bench.work.calls)
        renewals = bench.work.calls.count("RenewLeases")
        await bench.work.until(lambda: bench.work.calls.count("RenewLeases") > renewals + 1)
        workspace = bench.home.workspaces / "scribe"
        assert not (workspace / "made").exists()
        await bench.work.hang()
        await bench.work.outcome(run)
        assert (workspace / "made").exists()


async def test_a_call_that_the_gate_denies_never_runs_and_says_why(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(
            ["call", "a", "write_file", {"path": "made", "content": ""}],
            ["call", "b", "exec", {"command": 5}],
            ["take", 2],
            "finish",
        )
        ending = await bench.work.outcome(run)
    assert not (bench.home.workspaces / "scribe" / "made").exists()
    results = {result["id"]: result for result in json.loads(ending.output)}
    assert results["a"]["is_error"]
    assert "not offered" in results["a"]["content"]
    assert "arguments.command must be of type string" in results["b"]["content"]
    started = [event.tool_call_started for event in bench.work.of(run, "tool_call_started")]
    assert [call.verdict for call in started] == [results[call.id]["content"] for call in started]


async def test_a_demonstration_model_is_called_what_it_is(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(["finish", ""], model={"profile": {"demonstration": True}})
        await bench.work.outcome(run)
    [notice] = bench.work.of(run, "notice")
    assert notice.notice.code == "demonstration_model"
    assert "models/fake/small" in notice.notice.message


async def test_the_worker_says_what_a_sandbox_holds_here(bench: Bench) -> None:
    async with bench.worker():
        pass
    [registration] = bench.work.registrations
    assert registration.capacity == 4
    assert set(registration.runtimes) == {"builtin", "scripted"}
    assert len(registration.isolation.layers) > 5


async def test_more_runs_than_capacity_wait_their_turn(bench: Bench) -> None:
    async with bench.worker(capacity=1):
        first = await bench.run(["hold", "go"], ["finish", ""], agent="one")
        second = await bench.run(["finish", ""], agent="two")
        await bench.work.seen(first, "sandbox_opened")
        assert second not in bench.work.events
        (bench.home.workspaces / "one" / "go").touch()
        await asyncio.gather(bench.work.outcome(first), bench.work.outcome(second))


async def test_text_that_is_no_unicode_is_kept_as_far_as_it_can_be(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(["frame", {"type": "text", "text": "a\ud800b"}], ["finish", "\udfff"], tools=(EXEC,))
        ending = await bench.work.outcome(run)
    assert [event.text.text for event in bench.work.of(run, "text")] == ["a?b"]
    assert ending.output == "?"


async def test_sandboxes_that_nobody_uses_are_closed_and_no_more_stay_warm_than_may(bench: Bench) -> None:
    async with bench.worker(warm_sandboxes=1, idle_seconds=3):
        for agent in ("one", "two", "two", "one"):
            await bench.work.outcome(await bench.run(["finish", ""], agent=agent))
        warm = [
            event.sandbox_opened.warm for run in bench.work.events for event in bench.work.of(run, "sandbox_opened")
        ]
        await bench.work.until(lambda: bench.work.sandboxes[-1] == 0)
    assert warm == [False, False, True, False]
    assert max(bench.work.sandboxes) <= 2
