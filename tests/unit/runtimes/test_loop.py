"""The tool loop, frame by frame."""

from typing import Any

import pytest

from tests.fakes.inside import Inside
from tests.fakes.model_script import ModelScript, calls, refused, text
from tests.unit.runtimes.conftest import RUN, Run


async def test_a_plain_answer_is_streamed_and_finishes_the_run(run: Run, model: ModelScript) -> None:
    model.answer(text("Hel", "lo ", "there"))
    told = await run()
    assert told.text() == "Hello there"
    assert told.last() == {
        "type": "finish",
        "output": "Hello there",
        "messages": [{"role": "user", "content": "Say hello"}, {"role": "assistant", "content": "Hello there"}],
    }
    assert model.requests[0]["model"] == "openai/test"
    assert model.requests[0]["stream"] is True
    assert model.paths == ["/v1/chat/completions"]


async def test_a_tool_call_is_run_and_its_result_goes_back_to_the_model(run: Run, model: ModelScript) -> None:
    model.answer(calls(("read_file", {"path": "a.txt"}), said="Looking."), text("It says so."))
    told = await run()
    assert told.of("tool_call") == [
        {"type": "tool_call", "id": "id0", "tool": "read_file", "arguments": {"path": "a.txt"}}
    ]
    assert told.last()["output"] == "It says so."
    assert told.text() == "Looking.It says so."
    assert model.requests[1]["messages"][-1] == {"role": "tool", "tool_call_id": "id0", "content": "read a.txt"}
    assert [message["role"] for message in told.last()["messages"]] == ["user", "assistant", "tool", "assistant"]


async def test_parallel_calls_are_all_out_before_any_result_and_results_may_come_in_any_order(
    runtime: Inside, model: ModelScript
) -> None:
    model.answer(
        calls(("read_file", {"path": "a"}), ("read_file", {"path": "b"}), ("read_file", {"path": "c"})), text("ok")
    )
    await runtime.send({**RUN, "base_url": model.base_url})
    asked = [frame for _ in range(3) if (frame := await runtime.read())]
    for call in reversed(asked):
        await runtime.send(
            {"type": "tool_result", "id": call["id"], "content": call["arguments"]["path"], "is_error": False}
        )
    await runtime.rest()
    sent = [message for message in model.requests[1]["messages"] if message["role"] == "tool"]
    assert [(message["tool_call_id"], message["content"]) for message in sent] == [
        ("id0", "a"),
        ("id1", "b"),
        ("id2", "c"),
    ]


async def test_the_same_call_failing_the_same_way_is_warned_of_twice_and_ends_the_run_the_third_time(
    run: Run, model: ModelScript
) -> None:
    model.answer(*[calls(("read_file", {"path": "gone"})) for _ in range(3)])
    told = await run(lambda _: ("There is no file gone.", True))
    assert told.last()["reason"] == "REPEATED_TOOL_FAILURE"
    assert "3 times" in told.last()["message"]
    assert len(told.of("tool_call")) == 3
    assert "Do not repeat it" not in model.requests[1]["messages"][-1]["content"]
    assert "Do not repeat it" in model.requests[2]["messages"][-1]["content"]


async def test_equal_failures_of_one_round_count_once(run: Run, model: ModelScript) -> None:
    gone = ("read_file", {"path": "gone"})
    model.answer(calls(gone, gone, gone), text("I give up"))
    told = await run(lambda _: ("No.", True))
    assert told.last()["output"] == "I give up"


async def test_other_arguments_or_another_error_or_a_success_between_are_no_repetition(
    run: Run, model: ModelScript
) -> None:
    model.answer(*[calls(("read_file", {"path": path})) for path in ("a", "b", "a", "a")], text("done"))
    results = iter([("No.", True), ("No.", True), ("fine", False), ("No.", True)])
    assert (await run(lambda _: next(results))).last()["output"] == "done"


async def test_rounds_are_bounded(run: Run, model: ModelScript) -> None:
    model.answer(*[calls(("read_file", {"path": str(number)})) for number in range(3)])
    told = await run(limits={"max_rounds": 3, "max_output_tokens": 100})
    assert told.last()["reason"] == "ROUNDS_EXHAUSTED"
    assert "limits.max_rounds" in told.last()["message"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("read_file", '{"path": "a'), "not valid JSON"),
        (("read_file", "[1]"), "the arguments are array"),
        (("read_file", {}), "`path` is missing"),
        (("read_file", {"path": 7}), "`path` has to be of type string, not integer"),
        (("read_file", {"path": "a", "limit": 0}), "`limit` has to be at least 1"),
        (("read_file", {"path": "a", "lines": 3}), "`lines` is not known; the keys are path (required), limit"),
        (("red_file", {"path": "a"}), "Did you mean read_file?"),
        (("", {}), "The tools are read_file."),
    ],
)
async def test_a_call_that_cannot_be_made_goes_back_to_the_model_and_is_not_dispatched(
    run: Run, model: ModelScript, call: tuple[str, Any], says: str
) -> None:
    model.answer(calls(call), text("sorry"))
    told = await run()
    assert told.kinds() == ["notice", "text", "finish"]
    assert says in model.requests[1]["messages"][-1]["content"]


async def test_arguments_cut_off_by_the_token_limit_are_explained_to_the_model(run: Run, model: ModelScript) -> None:
    model.answer(calls(("read_file", '{"path": "a'), finish="length"), text("ok"))
    await run()
    assert "cut at 512 output tokens" in model.requests[1]["messages"][-1]["content"]


async def test_calls_without_an_id_or_with_one_used_before_get_their_own(run: Run, model: ModelScript) -> None:
    model.answer(calls(("read_file", {"path": "a"})), calls(("read_file", {"path": "b"})), text("ok"))
    told = await run()
    ids = [call["id"] for call in told.of("tool_call")]
    assert len(set(ids)) == 2
    assert [m["tool_call_id"] for m in model.requests[2]["messages"] if m["role"] == "tool"] == ids


async def test_more_than_16_calls_at_once_are_not_all_made(run: Run, model: ModelScript) -> None:
    model.answer(calls(*[("read_file", {"path": str(number)}) for number in range(18)]), text("ok"))
    told = await run()
    assert len(told.of("tool_call")) == 16
    assert "make this one again" in model.requests[1]["messages"][-1]["content"]


async def test_an_answer_cut_by_its_limit_is_kept_and_said(run: Run, model: ModelScript) -> None:
    model.answer(text("Once upon", finish="length"))
    told = await run()
    assert told.last()["output"] == "Once upon"
    assert told.notices() == ["output_cut"]


async def test_old_history_is_dropped_whole_turns_at_a_time_to_fit_and_it_is_said(run: Run, model: ModelScript) -> None:
    turn = [
        {"role": "user", "content": "u" * 2000},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "x"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "t" * 2000},
        {"role": "assistant", "content": "a" * 2000},
    ]
    model.answer(text("ok"))
    told = await run(history=turn * 8)
    sent = model.requests[0]["messages"]
    assert told.notices() == ["context_dropped"]
    assert [message["role"] for message in sent[:2]] == ["system", "user"]
    assert 1 < len(sent) < 33
    assert sent[-1]["content"] == "Say hello"


async def test_an_input_that_cannot_fit_fails_before_the_model_is_asked(run: Run, model: ModelScript) -> None:
    told = await run(input="word " * 40_000)
    assert told.last()["reason"] == "CONTEXT_TOO_LONG"
    assert model.requests == []


async def test_large_tool_results_of_this_run_are_dropped_oldest_first(run: Run, model: ModelScript) -> None:
    model.answer(*[calls(("read_file", {"path": str(number)})) for number in range(3)], text("ok"))
    told = await run(lambda call: (call["arguments"]["path"] + "x" * 10_000, False))
    results = [message["content"] for message in model.requests[3]["messages"] if message["role"] == "tool"]
    assert results[0].startswith("[An older tool result was dropped")
    assert results[2].startswith("2xxx")
    assert told.last()["messages"][2]["content"].startswith("0xxx"), "the session keeps the whole"


async def test_a_model_that_finds_it_too_long_is_asked_with_less_history(run: Run, model: ModelScript) -> None:
    history = [{"role": "user", "content": "u" * 9000}, {"role": "assistant", "content": "a" * 9000}]
    model.answer(refused(400, "context_length_exceeded", "too many tokens"), text("ok"))
    told = await run(history=history)
    assert told.last()["output"] == "ok"
    assert len(model.requests[1]["messages"]) < len(model.requests[0]["messages"])


async def test_a_model_that_finds_everything_too_long_ends_the_run(run: Run, model: ModelScript) -> None:
    model.answer(*[refused(400, "context_length_exceeded", "too many tokens") for _ in range(5)])
    told = await run()
    assert told.last()["reason"] == "CONTEXT_TOO_LONG"


async def test_the_prompt_has_the_soul_and_the_facts(run: Run, model: ModelScript) -> None:
    model.answer(text("ok"))
    await run()
    system = model.requests[0]["messages"][0]["content"]
    assert system.startswith("You are plain.")
    assert "`assistant`" in system
    assert "`/workspace`" in system
    assert "`read_file`" in system


async def test_an_answer_of_nothing_is_an_answer_and_said(run: Run, model: ModelScript) -> None:
    model.answer(text(""))
    told = await run()
    assert told.notices() == ["empty_answer"]
    assert told.last()["output"] == ""
