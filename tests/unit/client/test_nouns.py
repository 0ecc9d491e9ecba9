"""Every namespace reaches its service, pages by itself and refuses what no service would take."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from signet.client import AsyncSignet
from signet.kit.errors import FailedPrecondition, InvalidArgument, NotFound
from signet.v1 import agents_pb2, runs_pb2, usage_pb2
from tests.fakes.control import State


async def test_lists_page_by_themselves(signet: AsyncSignet, state: State) -> None:
    for index in range(7):
        await signet.agents.create(f"extra-{index}")

    names = [agent.name async for agent in signet.agents.list(page_size=3)]

    assert len(names) == len(set(names)) == 8
    assert [request.page_size for request in state.asked(agents_pb2.ListAgentsRequest)] == [3, 3, 3]


async def test_a_page_can_be_asked_for_by_itself_and_gone_on_from(signet: AsyncSignet) -> None:
    for index in range(3):
        await signet.agents.create(f"extra-{index}")

    first = await signet.agents.list(page_size=2).page()
    rest = [agent.name async for agent in signet.agents.list(page_size=2, page_token=first.next_page_token)]

    assert [agent.name for agent in first.agents] + rest == [
        "agents/assistant", "agents/extra-0", "agents/extra-1", "agents/extra-2",
    ]  # fmt: skip


async def test_a_page_token_of_another_list_is_refused(signet: AsyncSignet) -> None:
    for index in range(3):
        await signet.agents.create(f"extra-{index}")
    token = (await signet.agents.list(page_size=1).page()).next_page_token

    with pytest.raises(InvalidArgument, match="another list"):
        await signet.runs.list(page_token=token).page()


async def test_an_update_names_only_what_was_given(signet: AsyncSignet, state: State) -> None:
    agent = await signet.agents.update("assistant", description="new", toolsets=[], etag="1")

    assert agent.description == "new"
    assert agent.soul == "souls/general"
    request = state.asked(agents_pb2.UpdateAgentRequest)[0]
    assert set(request.update_mask.paths) == {"description", "toolsets"}
    assert request.agent.etag == "1"


async def test_filters_reach_the_service(signet: AsyncSignet, state: State) -> None:
    east = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))

    await signet.runs.list(agent="assistant", states=["failed", "CANCELLED"], created_after=east, stamp="ab").page()

    request = state.asked(runs_pb2.ListRunsRequest)[0]
    assert request.agent == "agents/assistant"
    assert list(request.states) == [runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED]
    assert request.created_after.ToDatetime(UTC) == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert request.stamp == "ab"


@pytest.mark.parametrize(
    "noun", ["agents", "souls", "sessions", "models", "providers", "workers", "policies", "approvals", "sandboxes",
             "budgets", "apis", "routes"],
)  # fmt: skip
async def test_a_name_that_is_empty_or_of_another_noun_is_refused_with_what_is_meant(
    signet: AsyncSignet, noun: str
) -> None:
    with pytest.raises(InvalidArgument, match=rf"must be a name, as in `{noun}/"):
        await getattr(signet, noun).get("")
    if noun != "models":  # a model's name may begin with any provider's
        with pytest.raises(InvalidArgument, match=rf"must be one of `{noun}/.*, not 'runs/x'"):
            await getattr(signet, noun).get("runs/x")


async def test_words_that_are_no_words_of_ours_are_refused(signet: AsyncSignet) -> None:
    with pytest.raises(InvalidArgument, match="states"):
        signet.runs.list(states=["done"])
    with pytest.raises(InvalidArgument, match="by"):
        signet.usage.list(by="colour")
    with pytest.raises(InvalidArgument, match="scope"):
        await signet.tokens.create("x", scope="root")
    for kind in ("colour", "embedded"):
        with pytest.raises(InvalidArgument, match=rf"must be one of openai, .*ollama.*, not '{kind}'"):
            await signet.providers.create("x", base_url="http://box/v1", kind=kind)


async def test_usage_is_summed_by_what_is_asked(signet: AsyncSignet, state: State) -> None:
    page = await signet.usage.list(by="day", agent="assistant").page()

    assert page.total.input_tokens == 1200
    request = state.asked(usage_pb2.ListUsageRequest)[0]
    assert request.dimension == usage_pb2.USAGE_DIMENSION_DAY
    assert request.agent == "agents/assistant"


async def test_a_provider_keeps_its_key_to_itself(signet: AsyncSignet, state: State) -> None:
    made = await signet.providers.create(
        "acme", base_url="https://api.example.org/v1", key="hush", input_price_microusd_per_million=0
    )

    assert made.has_key
    assert "hush" not in str(made)
    assert state.keys["providers/acme"] == "hush"
    assert made.HasField("input_price_microusd_per_million")
    assert not made.HasField("output_price_microusd_per_million")
    assert (await signet.providers.check("acme")).duration_micros
    await signet.providers.delete("acme")
    with pytest.raises(NotFound):
        await signet.providers.get("acme")


async def test_every_other_verb_reaches_its_service(signet: AsyncSignet) -> None:
    session = await signet.sessions.create("assistant", title="one")
    assert (await signet.sessions.rename(session.name, "two")).title == "two"
    assert [row.title async for row in signet.sessions.list(agent="assistant")] == ["two"]
    assert (await signet.sessions.get(session.name)).agent == "agents/assistant"
    await signet.sessions.delete(session.name)

    assert (await signet.souls.get("general")).title == "General"
    assert [soul.name async for soul in signet.souls.list()] == ["souls/broken", "souls/general"]
    assert (await signet.models.get()).name == "models/embedded/smollm2"
    assert (await signet.models.use("embedded/smollm2")).is_default
    assert (await signet.workers.drain("local")).draining
    assert not (await signet.workers.undrain("local")).draining

    token = await signet.tokens.create("script", expires=datetime.now(UTC) + timedelta(days=1))
    assert (await signet.tokens.check(token.secret)).title == "script"
    assert (await signet.tokens.revoke(token.token.name)).HasField("revoke_time")
    assert (await signet.tokens.create_sign_in_code()).code

    assert (await signet.agents.delete("assistant")).HasField("delete_time")
    assert not (await signet.agents.undelete("assistant")).HasField("delete_time")


async def test_an_agent_with_active_runs_is_not_deleted(signet: AsyncSignet, state: State) -> None:
    state.runs["runs/x"] = runs_pb2.Run(
        name="runs/x", agent="agents/assistant", state=runs_pb2.RUN_STATE_RUNNING, cancel_requested=True
    )

    with pytest.raises(FailedPrecondition, match="active runs"):
        await signet.agents.delete("assistant")
