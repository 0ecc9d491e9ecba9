"""The tool loop, frame by frame."""

from typing import Any

from tests.fakes.model_script import ModelScript, calls, text
from tests.unit.runtimes.conftest import Run


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
    runtime: Any, model: ModelScript
) -> None:
    from tests.unit.runtimes.conftest import RUN

    model.answer(
        calls(("read_file", {"path": "a"}), ("read_file", {"path": "b"}), ("read_file", {"path": "c"})), text("ok")
    )
    await runtime.send({**RUN, "base_url": model.base_url})
    asked = [await runtime.read() for _ in range(3)]
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
