"""Runs: made durably and once, found again by name, prefix, filter and page, and refused clearly."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest

from signet.kit.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from signet.kit.times import micros, stamp
from signet.v1 import agents_pb2, models_pb2, runs_pb2, sessions_pb2
from tests.fakes import models
from tests.integration.control.fleet import Fleet, eventually, refused, running


async def test_a_run_goes_from_created_to_a_sealed_record(fleet: Fleet) -> None:
    await fleet.register()
    made = await fleet.run("Say hello")
    assert made.state == runs_pb2.RUN_STATE_PENDING
    assert made.model == "models/fake/chat"
    assert all(len(getattr(made.stamp, part)) == 64 for part in ("digest", "soul", "tools", "runtime", "model"))
    assignment = await fleet.claim()
    assert assignment is not None
    assert assignment.run.state == runs_pb2.RUN_STATE_RUNNING
    assert assignment.next_sequence == 3
    assert assignment.soul
    assert assignment.history == "[]"
    run = await fleet.finish(assignment.lease, output="Hello.")
    assert run.state == runs_pb2.RUN_STATE_SUCCEEDED
    assert run.output == "Hello."
    assert len(run.record_digest) == 64
    kinds = [event.WhichOneof("kind") for event in await fleet.events(run.name)]
    assert kinds == ["created", "claimed", "finished"]


async def test_the_same_request_id_gets_the_same_run_however_often_and_at_once_it_is_sent(fleet: Fleet) -> None:
    runs = await asyncio.gather(*(fleet.run("Say hello", request_id="once") for _ in range(8)))
    assert len({run.name for run in runs}) == 1
    listed = await fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest())
    assert [run.name for run in listed.runs] == [runs[0].name]


async def test_a_request_id_with_another_content_is_refused(fleet: Fleet) -> None:
    first = await fleet.run("Say hello", request_id="once")
    error = await refused(fleet.run("Say goodbye", request_id="once"))
    assert isinstance(error, AlreadyExists)
    assert error.reason == "REQUEST_ID_REUSED"
    assert first.name in error.message


async def test_a_request_is_answered_again_while_the_router_is_away(fleet: Fleet) -> None:
    """A retry must be safe also when the model could not be resolved any more."""
    first = await fleet.run("Say hello", request_id="once")
    await fleet.operator.agents.UpdateAgent(
        agents_pb2.UpdateAgentRequest(
            agent=agents_pb2.Agent(name="agents/assistant", model="models/fake/small"),
            update_mask={"paths": ["model"]},
        )
    )
    again = await fleet.run("Say hello", request_id="once")
    assert again.name == first.name


async def test_every_bad_field_is_named_at_once(fleet: Fleet) -> None:
    request = runs_pb2.CreateRunRequest(agent="assistant", session="x", model="gpt", request_id="r" * 129)
    error = await refused(fleet.operator.runs.CreateRun(request))
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == {
        "agent", "session", "model", "request_id", "input",
    }  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [("", "empty"), ("x" * 2_000_000, "1,048,576"), ("é" * 524_289, "1,048")])
async def test_an_input_outside_its_bounds_is_refused_with_its_size(fleet: Fleet, text: str, words: str) -> None:
    error = await refused(fleet.run(text))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["input"]
    assert words in error.message


async def test_an_input_of_exactly_a_mebibyte_is_taken_and_handed_out(fleet: Fleet) -> None:
    await fleet.register()
    assignment = await fleet.taken("x" * 1024 * 1024)
    assert len(assignment.run.input) == 1024 * 1024


async def test_an_unknown_agent_is_refused_with_the_near_names(fleet: Fleet) -> None:
    error = await refused(fleet.run(agent="agents/asistant"))
    assert isinstance(error, NotFound)
    assert error.reason == "AGENT_NOT_FOUND"
    assert "Did you mean assistant?" in error.message


async def test_an_unknown_model_is_refused_and_nothing_is_kept(fleet: Fleet) -> None:
    error = await refused(fleet.run(model="models/fake/none"))
    assert isinstance(error, NotFound)
    assert not (await fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest())).runs


async def test_a_model_that_cannot_chat_is_refused(fleet: Fleet) -> None:
    error = await refused(fleet.run(model="models/fake/embedder"))
    assert isinstance(error, InvalidArgument)


async def test_a_router_that_is_away_is_said_so(tmp_path: Path) -> None:
    async with running(tmp_path, router=False) as fleet:
        error = await refused(fleet.run())
        assert isinstance(error, Unavailable)
        assert error.reason == "ROUTER_UNAVAILABLE"
        assert error.hint


async def test_a_router_that_comes_back_is_asked_again_soon(tmp_path: Path) -> None:
    async with running(tmp_path, router=False) as fleet:
        for _ in range(5):
            await refused(fleet.run())
        async with models.serving(fleet.home.socket("router.sock")):
            await eventually(partial(_made, fleet))


async def _made(fleet: Fleet) -> bool:
    try:
        await fleet.run()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return False
        raise
    return True


async def test_models_are_asked_of_the_router_once_in_a_while_only(fleet: Fleet) -> None:
    await asyncio.gather(*(fleet.run() for _ in range(3)))
    asked = fleet.router.asked
    await asyncio.gather(*(fleet.run() for _ in range(10)))
    assert fleet.router.asked == asked
    secret = (fleet.home.tokens / "operator").read_text().strip()
    assert fleet.router.authorization == {f"Bearer {secret}"}


async def test_a_model_that_cannot_choose_tools_comes_with_one_that_embeds(fleet: Fleet) -> None:
    await fleet.register()
    assignment = await fleet.taken(model="models/fake/small")
    assert assignment.model.profile.tool_choice == models_pb2.TOOL_CHOICE_EMBEDDING
    assert assignment.embedding_model == "models/fake/embedder"


async def test_a_run_is_found_by_a_prefix_that_only_it_has(fleet: Fleet) -> None:
    first, second = await fleet.run(), await fleet.run()
    ident = second.name.removeprefix("runs/")
    assert (await fleet.get(f"runs/{ident[:30]}")).name == second.name
    error = await refused(fleet.get(f"runs/{ident[:4]}"))
    assert isinstance(error, NotFound)
    assert first.name in error.message
    assert second.name in error.message


@pytest.mark.parametrize("name", ["runs/ffffffff", "runs/%", "runs/_______", "runs/zz"])
async def test_a_name_of_no_run_is_not_found(fleet: Fleet, name: str) -> None:
    await fleet.run()
    error = await refused(fleet.get(name))
    assert isinstance(error, NotFound)
    assert error.reason == "RUN_NOT_FOUND"


async def test_pages_give_each_run_once_newest_first_while_new_ones_are_made(fleet: Fleet) -> None:
    made = [(await fleet.run(f"number {number}")).name for number in range(7)]
    found: list[str] = []
    token = ""
    while True:
        page = await fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest(page_size=3, page_token=token))
        found += [run.name for run in page.runs]
        await fleet.run("a new one meanwhile")
        token = page.next_page_token
        if not token:
            break
    assert found == made[::-1]


async def test_a_page_token_fits_only_the_list_and_filters_it_came_from(fleet: Fleet) -> None:
    for _ in range(3):
        await fleet.run()
    page = await fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest(page_size=1))
    token = page.next_page_token
    others = (
        fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest(page_token=token, agent="agents/assistant")),
        fleet.operator.sessions.ListSessions(sessions_pb2.ListSessionsRequest(page_token=token)),
        fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest(page_token="garbage")),
    )
    for other in others:
        error = await refused(other)
        assert isinstance(error, InvalidArgument)
        assert error.reason == "INVALID_PAGE_TOKEN"


async def test_filters_give_only_what_they_name(fleet: Fleet) -> None:
    await fleet.register()
    session = (
        await fleet.operator.sessions.CreateSession(
            sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/assistant"))
        )
    ).session
    done = await fleet.taken("first")
    await fleet.finish(done.lease)
    talk = await fleet.run("second", session=session.name)
    small = await fleet.run("third", model="models/fake/small")

    async def listed(**fields: object) -> list[str]:
        answer = await fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest(**fields))  # type: ignore[arg-type] # a table
        return [run.name for run in answer.runs]

    assert await listed(session=session.name) == [talk.name]
    assert await listed(states=[runs_pb2.RUN_STATE_SUCCEEDED]) == [done.run.name]
    assert await listed(model="models/fake/small") == [small.name]
    assert await listed(stamp=small.stamp.digest[:12]) == [small.name]
    assert await listed(agent="agents/nobody") == []
    assert await listed(created_after=small.create_time) == [small.name]
    assert await listed(created_before=talk.create_time) == [done.run.name]
    later = stamp(micros(small.create_time) + timedelta(seconds=1) // timedelta(microseconds=1))
    assert await listed(created_after=later) == []


async def test_bad_filters_are_named(fleet: Fleet) -> None:
    request = runs_pb2.ListRunsRequest(agent="x", states=[99, 0], stamp="XYZ", page_size=5)  # type: ignore[list-item] # bad on purpose
    error = await refused(fleet.operator.runs.ListRuns(request))
    assert {violation.field for violation in error.violations} == {"agent", "states[0]", "states[1]", "stamp"}


async def test_lists_cut_long_texts_and_get_does_not(fleet: Fleet) -> None:
    made = await fleet.run("é" * 10_000)
    listed = await fleet.operator.runs.ListRuns(runs_pb2.ListRunsRequest())
    assert len(listed.runs[0].input.encode()) <= 4096
    assert (await fleet.get(made.name)).input == "é" * 10_000


async def test_more_runs_than_may_wait_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path, max_pending_runs=2) as fleet:
        await fleet.run()
        await fleet.run()
        error = await refused(fleet.run())
        assert isinstance(error, ResourceExhausted)
        assert error.reason == "LIMIT_REACHED"


async def test_a_waiting_run_is_cancelled_at_once_and_says_by_whom(fleet: Fleet) -> None:
    run = await fleet.run()
    answer = await fleet.operator.runs.CancelRun(runs_pb2.CancelRunRequest(name=run.name))
    assert answer.run.state == runs_pb2.RUN_STATE_CANCELLED
    assert answer.run.error.reason == "CANCELLED"
    assert answer.run.record_digest
    events = await fleet.events(run.name)
    assert [event.WhichOneof("kind") for event in events] == ["created", "cancel_requested", "finished"]
    assert events[1].cancel_requested.caller == "tokens/operator"


async def test_a_final_run_never_changes(fleet: Fleet) -> None:
    await fleet.register()
    assignment = await fleet.taken()
    done = await fleet.finish(assignment.lease)
    answer = await fleet.operator.runs.CancelRun(runs_pb2.CancelRunRequest(name=done.name))
    assert answer.run == done
    assert await fleet.get(done.name) == done
