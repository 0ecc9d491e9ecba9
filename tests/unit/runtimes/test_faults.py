"""What a model's side can do wrong, and how the run ends then: with a reason and a message that helps, no text lost."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.fakes.inside import Inside
from tests.fakes.model_script import (
    DONE,
    Answer,
    Endless,
    Fault,
    ModelScript,
    calls,
    completion,
    delta,
    event,
    refused,
    text,
)
from tests.unit.runtimes.conftest import RUN, Run

SHORT = {"max_rounds": 6, "max_output_tokens": 512}


async def test_text_that_came_before_a_reset_is_passed_on(run: Run, model: ModelScript) -> None:
    model.answer(Answer((delta(content="Once upon "), delta(content="a"), Fault.RESET)))
    told = await run()
    assert told.last()["reason"] == "MODEL_UNAVAILABLE"
    assert "broke off" in told.last()["message"]


@pytest.mark.parametrize(
    ("steps", "reason", "says"),
    [
        ((delta(content="Once"), Fault.CLOSE), "MODEL_UNAVAILABLE", "broke off"),
        ((delta(content="Once"),), "MODEL_UNAVAILABLE", "broke off before its end"),
        ((b"data: {this is not JSON\n\n",), "MODEL_ERROR", "not JSON"),
        ((b"data: [1, 2]\n\n",), "MODEL_ERROR", "not an object"),
        ((event({"choices": "many"}),), "MODEL_ERROR", "choices"),
        ((event({"choices": [{"delta": {"tool_calls": "x"}}]}),), "MODEL_ERROR", "tool_calls"),
        (
            (event({"error": {"message": "the GPU is gone", "code": "provider_error"}}),),
            "MODEL_ERROR",
            "the GPU is gone",
        ),
        ((b"data: " + b"x" * (5 << 20),), "MODEL_ERROR", "more than 4 MiB"),
        ((Endless(delta(content="x" * 60_000)),), "MODEL_ERROR", "cut off"),
        ((delta(finish="length"), DONE), "MODEL_ERROR", "limits.max_output_tokens"),
    ],
)
async def test_a_bad_stream_fails_the_run_with_a_reason(
    run: Run, model: ModelScript, steps: tuple[Any, ...], reason: str, says: str
) -> None:
    model.answer(Answer(steps))
    told = await run()
    assert (told.last()["type"], told.last()["reason"]) == ("fail", reason)
    assert says in told.last()["message"]


@pytest.mark.parametrize(
    ("raw", "reason", "says"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "MODEL_ERROR", "no HTTP"),
        (b"", "MODEL_UNAVAILABLE", "broke off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "MODEL_ERROR", "bad chunk size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\ndata: half", "MODEL_UNAVAILABLE", "broke off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", "MODEL_ERROR", "content-length"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, "MODEL_ERROR", "headers"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>hello</html>", "MODEL_ERROR", "text/html"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}", "MODEL_ERROR", "no choice"),
    ],
)
async def test_bad_http_fails_the_run_with_a_reason(
    run: Run, model: ModelScript, raw: bytes, reason: str, says: str
) -> None:
    model.answer(Answer((raw,), raw=True))
    told = await run()
    assert (told.last()["type"], told.last()["reason"]) == ("fail", reason)
    assert says in told.last()["message"]


@pytest.mark.parametrize(
    ("answer", "reason", "says"),
    [
        (refused(403, "model_not_allowed", "not for you"), "MODEL_NOT_ALLOWED", "Check the agent's model"),
        (refused(401, "unauthorized", "bad token"), "MODEL_NOT_ALLOWED", "bad token"),
        (refused(404, "model_not_found", "no openai/x"), "MODEL_UNAVAILABLE", "signet model list"),
        (refused(502, "provider_error", "upstream said 500"), "MODEL_UNAVAILABLE", "upstream said 500"),
        (refused(504, "provider_timeout", "too slow"), "MODEL_UNAVAILABLE", "too slow"),
        (refused(400, "invalid_request", "temperature"), "MODEL_ERROR", "temperature"),
        (Answer((b"<html>oops",), 500, "text/html"), "MODEL_ERROR", "<html>oops"),
        (refused(503, "provider_unavailable", "down", retry_after="3600"), "MODEL_UNAVAILABLE", "run it again later"),
    ],
)
async def test_a_refusal_becomes_a_reason_and_a_message_that_helps(
    run: Run, model: ModelScript, answer: Answer, reason: str, says: str
) -> None:
    model.answer(answer)
    told = await run()
    assert (told.last()["type"], told.last()["reason"]) == ("fail", reason)
    assert says in told.last()["message"]


async def test_a_model_that_is_away_for_a_moment_is_asked_again_and_it_is_said(run: Run, model: ModelScript) -> None:
    model.answer(refused(503, "provider_unavailable", "restarting"), refused(429, "busy", "busy"), text("Here"))
    told = await run()
    assert told.last()["output"] == "Here"
    assert told.notices() == ["model_retry"]


async def test_a_closed_way_to_the_model_is_tried_again_and_then_named(runtime: Inside) -> None:
    await runtime.send({**RUN, "base_url": "http://127.0.0.1:1/v1"})
    frames = await runtime.rest()
    assert frames[-1]["reason"] == "MODEL_UNAVAILABLE"
    assert "Asked 4 times" in frames[-1]["message"]


@pytest.mark.parametrize(
    ("steps", "limits"),
    [
        ((Fault.HANG,), {"idle_seconds": 0.2}),
        ((delta(content="Once"), Fault.HANG), {"idle_seconds": 0.2}),
        ((Endless(b": still here\n\n"),), {"call_seconds": 0.3, "idle_seconds": 30}),
    ],
)
async def test_a_model_that_never_ends_is_left_at_the_deadline_and_its_connection_closed(
    run: Run, model: ModelScript, steps: tuple[Any, ...], limits: dict[str, float]
) -> None:
    model.answer(Answer(steps))
    told = await run(limits={**SHORT, **limits})
    assert told.last()["reason"] == "MODEL_UNAVAILABLE"
    assert "did not answer within" in told.last()["message"]
    await model.left.wait()


async def test_a_model_that_says_nothing_at_all_is_left_at_its_first_byte_deadline(
    run: Run, model: ModelScript
) -> None:
    model.answer(Answer((Fault.HANG,), raw=True))
    told = await run(limits={**SHORT, "first_byte_seconds": 0.2})
    assert told.last()["reason"] == "MODEL_UNAVAILABLE"


async def test_text_waits_for_nothing_that_comes_after_it(runtime: Inside, model: ModelScript) -> None:
    gate = asyncio.Event()
    model.answer(Answer((delta(content="a"), delta(content="b"), gate, delta("stop", content="c"), DONE)))
    await runtime.send({**RUN, "base_url": model.base_url})
    seen = ""
    while seen != "ab":
        frame = await runtime.read()
        assert frame is not None
        seen += frame["text"]
    gate.set()
    assert (await runtime.rest())[-1]["output"] == "abc"


async def test_split_chunks_comments_and_carriage_returns_change_nothing(run: Run, model: ModelScript) -> None:
    whole = (
        b": hi\r\n\r\n"
        + delta(content="grüße ").replace(b"\n", b"\r\n")
        + b"event: x\n"
        + delta("stop", content="🌍")
        + DONE
    )
    model.answer(Answer(tuple(whole[i : i + 1] for i in range(len(whole)))))
    told = await run()
    assert told.last()["output"] == told.text() == "grüße 🌍"


async def test_many_small_pieces_are_batched_and_none_is_lost_or_moved(run: Run, model: ModelScript) -> None:
    words = [f"{number} " for number in range(5000)]
    model.answer(text(*words))
    told = await run()
    assert told.text() == "".join(words)
    assert len(told.of("text")) < 500


async def test_reasoning_and_text_keep_their_order(run: Run, model: ModelScript) -> None:
    model.answer(Answer((delta(reasoning_content="hm"), delta(content="yes"), delta("stop"), DONE)))
    told = await run()
    assert told.kinds() == ["reasoning", "text", "finish"]


async def test_an_answer_that_was_not_streamed_is_taken_too(run: Run, model: ModelScript) -> None:
    model.answer(completion("whole"))
    assert (await run()).text() == "whole"


async def test_a_worker_that_is_gone_ends_the_runtime(runtime: Inside, model: ModelScript) -> None:
    model.answer(calls(("read_file", {"path": "a"})))
    await runtime.send({**RUN, "base_url": model.base_url})
    await runtime.read()
    runtime.writer.close()
    assert await runtime.ended() == 0
    assert await runtime.errors() == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"garbage\n", "do not understand each other"),
        (b"[]\n", "do not understand each other"),
        (b'{"type":"tool_result"}\n', "expected a run frame"),
        (b'{"type":"run","input":"x"}\n', "The run frame is bad: KeyError"),
        (b"x" * ((4 << 20) + 1), "longer than"),
    ],
)
async def test_a_bad_first_frame_fails_with_what_is_wrong(runtime: Inside, line: bytes, says: str) -> None:
    with contextlib.suppress(ConnectionError):  # it stops reading at its bound
        await runtime.send_raw(line)
    frames = await runtime.rest()
    assert frames[-1]["reason"] == "INTERNAL"
    assert says in frames[-1]["message"]


async def test_half_surrogates_from_a_model_break_nothing(run: Run, model: ModelScript) -> None:
    model.answer(Answer((b'data: {"choices":[{"delta":{"content":"a\\ud83d"},"finish_reason":"stop"}]}\n\n', DONE)))
    told = await run()
    assert told.last()["output"] == "a?"
