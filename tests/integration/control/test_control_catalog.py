"""Agents, sessions and souls: kept, changed, hidden, and refused with what would be right."""

from pathlib import Path
from typing import Any

import pytest

from signet.kit.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from signet.v1 import agents_pb2, runs_pb2, sessions_pb2, souls_pb2
from tests.integration.control.fleet import Fleet, refused, running

MANIFEST = """\
title: My own
description: Mine.
category: personal
version: "3"
toolsets:
  enforced: [files]
  forbidden: [terminal]
"""


async def create(fleet: Fleet, name: str = "helper", **fields: Any) -> agents_pb2.Agent:
    agent = agents_pb2.Agent(name=f"agents/{name}", **fields)
    answer = await fleet.operator.agents.CreateAgent(agents_pb2.CreateAgentRequest(agent=agent))
    made: agents_pb2.Agent = answer.agent
    return made


async def update(fleet: Fleet, *paths: str, name: str = "helper", **fields: Any) -> agents_pb2.Agent:
    agent = agents_pb2.Agent(name=f"agents/{name}", **fields)
    request = agents_pb2.UpdateAgentRequest(agent=agent, update_mask={"paths": paths})
    answer = await fleet.operator.agents.UpdateAgent(request)
    made: agents_pb2.Agent = answer.agent
    return made


def write_soul(fleet: Fleet, slug: str, text: str = "You are mine.", manifest: str = MANIFEST) -> Path:
    folder = fleet.home.souls / slug
    folder.mkdir(exist_ok=True)
    (folder / "soul.md").write_text(text)
    (folder / "manifest.yaml").write_text(manifest)
    return folder


async def test_a_fleet_begins_with_an_assistant(fleet: Fleet) -> None:
    answer = await fleet.operator.agents.ListAgents(agents_pb2.ListAgentsRequest())
    (agent,) = answer.agents
    assert agent.name == "agents/assistant"
    assert (agent.soul, agent.model, agent.runtime) == ("souls/general", "models/default", "builtin")
    assert (agent.limits.max_rounds, agent.limits.max_seconds, agent.limits.max_output_tokens) == (24, 900, 1024)


async def test_an_assistant_that_was_deleted_stays_so_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await fleet.operator.agents.DeleteAgent(agents_pb2.DeleteAgentRequest(name="agents/assistant"))
    async with running(tmp_path) as fleet:
        assert not (await fleet.operator.agents.ListAgents(agents_pb2.ListAgentsRequest())).agents


async def test_a_name_is_taken_once(fleet: Fleet) -> None:
    await create(fleet)
    error = await refused(create(fleet))
    assert isinstance(error, AlreadyExists)
    assert error.reason == "NAME_TAKEN"
    await fleet.operator.agents.DeleteAgent(agents_pb2.DeleteAgentRequest(name="agents/helper"))
    assert "undelete" in (await refused(create(fleet))).hint


async def test_all_bad_fields_of_an_agent_are_named_at_once(fleet: Fleet) -> None:
    agent = agents_pb2.Agent(
        name="agents/Bad Name",
        description="d" * 201,
        soul="general",
        model="gpt",
        toolsets=["files", "files"],
        limits=agents_pb2.RunLimits(max_rounds=201, max_seconds=-1, max_output_tokens=1_000_000),
    )
    error = await refused(fleet.operator.agents.CreateAgent(agents_pb2.CreateAgentRequest(agent=agent)))
    assert {violation.field for violation in error.violations} == {
        "agent.name", "agent.description", "agent.soul", "agent.model", "agent.toolsets", "agent.limits.max_rounds",
        "agent.limits.max_seconds", "agent.limits.max_output_tokens",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "kind", "reason", "words"),
    [
        ({"soul": "souls/generl"}, NotFound, "SOUL_NOT_FOUND", "general"),
        ({"model": "models/none"}, NotFound, "NOT_FOUND", "models/none"),
        ({"runtime": "bultin"}, NotFound, "RUNTIME_NOT_FOUND", "builtin"),
        ({"toolsets": ["fils"]}, NotFound, "TOOL_NOT_FOUND", "files"),
        ({"model": "models/fake/embedder"}, InvalidArgument, "INVALID_FIELD", "chat"),
    ],
)
async def test_what_an_agent_names_must_be_there(
    fleet: Fleet, fields: dict[str, Any], kind: type, reason: str, words: str
) -> None:
    error = await refused(create(fleet, "helper", **fields))
    assert isinstance(error, kind)
    assert error.reason == reason
    assert words in error.message


async def test_a_toolset_that_the_soul_forbids_is_refused(fleet: Fleet) -> None:
    write_soul(fleet, "mine")
    error = await refused(create(fleet, soul="souls/mine", toolsets=["terminal"]))
    assert isinstance(error, InvalidArgument)
    assert error.reason == "TOOL_FORBIDDEN"
    assert [violation.field for violation in error.violations] == ["agent.toolsets[0]"]


async def test_an_update_takes_the_named_fields_only_and_changes_the_stamp(fleet: Fleet) -> None:
    first = await create(fleet, description="old", limits=agents_pb2.RunLimits(max_rounds=3))
    before = await fleet.run(agent="agents/helper")
    changed = await update(
        fleet, "limits", description="ignored", limits=agents_pb2.RunLimits(max_rounds=5), etag=first.etag
    )
    assert (changed.description, changed.limits.max_rounds, changed.limits.max_seconds) == ("old", 5, 900)
    assert changed.etag != first.etag
    after = await fleet.run(agent="agents/helper")
    assert after.stamp.digest != before.stamp.digest
    assert after.stamp.permissions != before.stamp.permissions
    assert after.stamp.soul == before.stamp.soul


async def test_a_stale_etag_is_told_so(fleet: Fleet) -> None:
    first = await create(fleet)
    await update(fleet, "description", description="newer")
    error = await refused(update(fleet, "description", description="older", etag=first.etag))
    assert isinstance(error, Aborted)
    assert error.reason == "ETAG_STALE"


@pytest.mark.parametrize("paths", [(), ("name",), ("soul", "etag")])
async def test_a_mask_names_fields_that_can_change(fleet: Fleet, paths: tuple[str, ...]) -> None:
    await create(fleet)
    assert isinstance(await refused(update(fleet, *paths)), InvalidArgument)


async def test_toolsets_can_be_taken_away_again(fleet: Fleet) -> None:
    await create(fleet, toolsets=["files"])
    assert list((await update(fleet, "toolsets")).toolsets) == []


async def test_an_agent_with_active_runs_is_not_deleted_and_one_that_was_comes_back(fleet: Fleet) -> None:
    await create(fleet)
    run = await fleet.run(agent="agents/helper")
    delete = agents_pb2.DeleteAgentRequest(name="agents/helper")
    error = await refused(fleet.operator.agents.DeleteAgent(delete))
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "RUNS_ACTIVE"
    await fleet.operator.runs.CancelRun(runs_pb2.CancelRunRequest(name=run.name))
    assert (await fleet.operator.agents.DeleteAgent(delete)).agent.HasField("delete_time")
    assert isinstance(await refused(fleet.run(agent="agents/helper")), NotFound)
    assert (await fleet.get(run.name)).agent == "agents/helper"
    undelete = agents_pb2.UndeleteAgentRequest(name="agents/helper")
    assert not (await fleet.operator.agents.UndeleteAgent(undelete)).agent.HasField("delete_time")
    assert (await fleet.run(agent="agents/helper")).name


async def test_agents_come_by_name_in_pages_with_deleted_ones_only_when_asked(fleet: Fleet) -> None:
    for name in ("zoe", "bob", "kim"):
        await create(fleet, name)
    await fleet.operator.agents.DeleteAgent(agents_pb2.DeleteAgentRequest(name="agents/bob"))
    found: list[str] = []
    token = ""
    while True:
        page = await fleet.operator.agents.ListAgents(agents_pb2.ListAgentsRequest(page_size=1, page_token=token))
        found += [agent.name for agent in page.agents]
        token = page.next_page_token
        if not token:
            break
    assert found == ["agents/assistant", "agents/kim", "agents/zoe"]
    everything = await fleet.operator.agents.ListAgents(agents_pb2.ListAgentsRequest(show_deleted=True))
    assert len(everything.agents) == 4


async def test_souls_are_read_anew_for_every_run(fleet: Fleet) -> None:
    folder = write_soul(fleet, "mine")
    await create(fleet, soul="souls/mine")
    await fleet.register()
    first = await fleet.taken(agent="agents/helper")
    assert first.soul == "You are mine."
    assert {tool.name for tool in first.tools} >= {"read_file", "list_files"}
    assert "exec" not in {tool.name for tool in first.tools}
    (folder / "soul.md").write_text("You are mine, and changed.")
    second = await fleet.taken(agent="agents/helper")
    assert second.soul == "You are mine, and changed."
    assert second.run.stamp.soul != first.run.stamp.soul
    assert second.run.stamp.tools == first.run.stamp.tools


async def test_a_soul_whose_files_are_bad_is_listed_with_file_and_line_and_refused(fleet: Fleet) -> None:
    folder = write_soul(fleet, "mine")
    await create(fleet, soul="souls/mine")
    (folder / "manifest.yaml").write_text(
        MANIFEST.replace("enforced: [files]", "enforced: [files, terminal]") + "x: 1\n"
    )
    error = await refused(fleet.run(agent="agents/helper"))
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "SOUL_INVALID"
    assert "manifest.yaml:7" in error.message
    assert "manifest.yaml:8" in error.message
    soul = (await fleet.operator.souls.GetSoul(souls_pb2.GetSoulRequest(name="souls/mine"))).soul
    assert len(soul.problems) == 2
    assert not soul.digest


async def test_a_users_own_soul_wins_over_a_shipped_one(fleet: Fleet) -> None:
    shipped = (await fleet.operator.souls.GetSoul(souls_pb2.GetSoulRequest(name="souls/general"))).soul
    assert shipped.origin == souls_pb2.SOUL_ORIGIN_CATALOG
    write_soul(fleet, "general")
    own = (await fleet.operator.souls.GetSoul(souls_pb2.GetSoulRequest(name="souls/general"))).soul
    assert (own.origin, own.title, own.version) == (souls_pb2.SOUL_ORIGIN_USER, "My own", "3")
    listed = await fleet.operator.souls.ListSouls(souls_pb2.ListSoulsRequest())
    names = [soul.name for soul in listed.souls]
    assert names == sorted(set(names))
    error = await refused(fleet.operator.souls.GetSoul(souls_pb2.GetSoulRequest(name="souls/genral")))
    assert isinstance(error, NotFound)
    assert "general" in error.message


async def test_a_soul_s_name_cannot_leave_its_folder(fleet: Fleet) -> None:
    for name in ("souls/../tokens", "souls/..", "souls/a/b", "souls/."):
        assert isinstance(
            await refused(fleet.operator.souls.GetSoul(souls_pb2.GetSoulRequest(name=name))), InvalidArgument
        )


async def test_a_session_takes_its_title_from_the_first_input(fleet: Fleet) -> None:
    made = await fleet.operator.sessions.CreateSession(
        sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/assistant"))
    )
    name = made.session.name
    await fleet.run("  Plan my\n week " + "x" * 200, session=name)
    await fleet.run("Another", session=name)
    session = (await fleet.operator.sessions.GetSession(sessions_pb2.GetSessionRequest(name=name))).session
    assert session.title.startswith("Plan my week xxx")
    assert len(session.title) == 80
    assert session.run_count == 2
    renamed = sessions_pb2.Session(name=name, title="Mine")
    request = sessions_pb2.UpdateSessionRequest(session=renamed)
    assert (await fleet.operator.sessions.UpdateSession(request)).session.title == "Mine"
    request.session.title = "t" * 201
    assert isinstance(await refused(fleet.operator.sessions.UpdateSession(request)), InvalidArgument)


async def test_sessions_come_by_newest_activity_and_deleted_ones_do_not(fleet: Fleet) -> None:
    names = []
    for title in ("one", "two", "three"):
        request = sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/assistant", title=title))
        names.append((await fleet.operator.sessions.CreateSession(request)).session.name)
    run = await fleet.run(session=names[0])
    found: list[str] = []
    token = ""
    while True:
        asked = sessions_pb2.ListSessionsRequest(page_size=1, page_token=token, agent="agents/assistant")
        page = await fleet.operator.sessions.ListSessions(asked)
        found += [session.title for session in page.sessions]
        token = page.next_page_token
        if not token:
            break
    assert found == ["one", "three", "two"]
    await fleet.operator.sessions.DeleteSession(sessions_pb2.DeleteSessionRequest(name=names[0]))
    assert isinstance(await refused(fleet.run(session=names[0])), NotFound)
    assert (await fleet.get(run.name)).session == names[0]


async def test_a_session_of_another_agent_is_refused(fleet: Fleet) -> None:
    await create(fleet)
    made = sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/helper"))
    session = (await fleet.operator.sessions.CreateSession(made)).session
    error = await refused(fleet.run(session=session.name, agent="agents/assistant"))
    assert isinstance(error, InvalidArgument)
    assert (await fleet.run(session=session.name)).agent == "agents/helper"
    nobody = sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/helpr"))
    assert "helper" in (await refused(fleet.operator.sessions.CreateSession(nobody))).message
