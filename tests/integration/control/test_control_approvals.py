"""Approvals and grants: asked once, answered once, over in time, pushed to whoever they concern, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signet.kit.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from signet.v1 import approvals_pb2, policies_pb2, runs_pb2, sessions_pb2
from signet.work.v1 import work_pb2
from tests.integration.control.fleet import Fleet, called, refused, running, told
from tests.integration.control.process import start
from tests.integration.control.test_control_policies import box, effective

APPROVED, DENIED = approvals_pb2.APPROVAL_STATE_APPROVED, approvals_pb2.APPROVAL_STATE_DENIED
PENDING, EXPIRED = approvals_pb2.APPROVAL_STATE_PENDING, approvals_pb2.APPROVAL_STATE_EXPIRED
RUN, SESSION = policies_pb2.GRANT_SCOPE_RUN, policies_pb2.GRANT_SCOPE_SESSION
AGENT = policies_pb2.GRANT_SCOPE_AGENT


def network(host: str = "api.example.org", port: int = 443, binary: str = "/usr/bin/curl") -> policies_pb2.Ask:
    return policies_pb2.Ask(network={"host": host, "port": port, "binary": binary})


def command(text: str = "rm -r build") -> policies_pb2.Ask:
    return policies_pb2.Ask(command={"command": text})


async def ask(
    fleet: Fleet, what: policies_pb2.Ask, lease: work_pb2.Lease | None = None, wait_seconds: int = 600
) -> approvals_pb2.Approval:
    request = work_pb2.AskApprovalRequest(
        lease=lease, agent="agents/assistant", ask=what, blast_radius="that host", wait_seconds=wait_seconds
    )
    found: approvals_pb2.Approval = (await fleet.worker.work.AskApproval(request)).approval
    return found


async def answer(
    fleet: Fleet, name: str, state: Any = APPROVED, scope: Any = None, hold_seconds: int = 0
) -> approvals_pb2.Approval:
    request = approvals_pb2.AnswerApprovalRequest(name=name, answer=state, scope=scope, hold_seconds=hold_seconds)
    found: approvals_pb2.Approval = (await fleet.operator.approvals.AnswerApproval(request)).approval
    return found


async def shown(fleet: Fleet, name: str) -> approvals_pb2.Approval:
    found: approvals_pb2.Approval = (
        await fleet.operator.approvals.GetApproval(approvals_pb2.GetApprovalRequest(name=name))
    ).approval
    return found


async def grants(fleet: Fleet, *, ended: bool = False) -> list[policies_pb2.Grant]:
    request = approvals_pb2.ListGrantsRequest(agent="agents/assistant", show_ended=ended)
    return list((await fleet.operator.approvals.ListGrants(request)).grants)


async def in_session(fleet: Fleet) -> work_pb2.Assignment:
    request = sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/assistant"))
    return await fleet.taken(session=(await fleet.operator.sessions.CreateSession(request)).session.name)


async def test_the_same_question_of_a_run_is_asked_once(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    first = await ask(fleet, network(), claim.lease)
    assert (first.state, first.run, first.agent) == (PENDING, claim.run.name, "agents/assistant")
    assert await ask(fleet, network(binary="/usr/bin/wget"), claim.lease) == first
    for other in (network(port=80), network("other.example.org"), command()):
        assert (await ask(fleet, other, claim.lease)).name != first.name
    listed = await fleet.operator.approvals.ListApprovals(approvals_pb2.ListApprovalsRequest(states=[PENDING]))
    assert len(listed.approvals) == 4


async def test_a_stale_generation_may_not_ask(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=2) as fleet:
        await fleet.register()
        old = await fleet.taken()
        waiting = await ask(fleet, command(), old.lease)
        await fleet.until(old.run.name, "attempt_lost")
        new = await fleet.claim(wait_seconds=10)
        assert new is not None
        request = work_pb2.AskApprovalRequest(
            lease=old.lease, agent="agents/assistant", ask=network(), blast_radius="", wait_seconds=60
        )
        error = await refused(fleet.worker.work.AskApproval(request))
        assert isinstance(error, FailedPrecondition)
        assert error.reason == "LEASE_LOST"
        assert (await shown(fleet, waiting.name)).state == EXPIRED
        assert (await ask(fleet, command(), new.lease)).name != waiting.name


async def test_a_yes_makes_a_grant_and_reaches_the_worker_that_asked(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    await fleet.report(box(1, await effective(fleet), run=claim.run.name))
    before = claim.run.stamp
    asked = await ask(fleet, network(), claim.lease)
    directives = fleet.directives()
    answered = await answer(fleet, asked.name)
    assert (answered.state, answered.caller) == (APPROVED, "tokens/operator")
    assert answered.HasField("answer_time")
    (grant,) = await grants(fleet)
    assert answered.grant == grant.name
    assert (grant.scope, grant.subject, grant.ask) == (RUN, claim.run.name, network())
    assert (grant.caller, grant.approval) == ("tokens/operator", asked.name)
    order = (await told(directives, "load_policy")).load_policy
    assert [found.name for found in order.policy.grants] == [grant.name]
    assert (await told(fleet.directives(), "approval")).approval == answered
    assert (await fleet.get(claim.run.name)).stamp == before
    assert (await ask(fleet, network(), claim.lease)) == answered


async def test_a_no_holds_for_the_run_and_makes_no_grant(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    asked = await ask(fleet, command(), claim.lease)
    directives = fleet.directives()
    denied = await answer(fleet, asked.name, DENIED)
    assert (denied.state, denied.grant) == (DENIED, "")
    assert (await told(directives, "approval")).approval == denied
    assert await grants(fleet, ended=True) == []
    assert await ask(fleet, command(), claim.lease) == denied


async def test_an_answer_repeated_is_the_same_and_another_is_refused(fleet: Fleet) -> None:
    await fleet.register()
    claim = await in_session(fleet)
    asked = await ask(fleet, network(), claim.lease)
    first = await answer(fleet, asked.name, APPROVED, SESSION, 3600)
    assert await answer(fleet, asked.name, APPROVED, SESSION, 3600) == first
    assert len(await grants(fleet)) == 1
    for state, scope, hold in ((DENIED, None, 0), (APPROVED, AGENT, 3600), (APPROVED, SESSION, 0)):
        request = approvals_pb2.AnswerApprovalRequest(name=asked.name, answer=state, scope=scope, hold_seconds=hold)
        error = await refused(fleet.operator.approvals.AnswerApproval(request))
        assert isinstance(error, FailedPrecondition)
        assert error.reason == "APPROVAL_FINAL"
        assert "tokens/operator" in error.message


async def test_of_answers_that_race_one_wins(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    for number in range(10):
        asked = await ask(fleet, network(port=1000 + number), claim.lease)
        requests = [
            approvals_pb2.AnswerApprovalRequest(name=asked.name, answer=state)
            for state in (APPROVED, DENIED, APPROVED, DENIED)
        ]
        results = await asyncio.gather(
            *(fleet.operator.approvals.AnswerApproval(request) for request in requests), return_exceptions=True
        )
        final = await shown(fleet, asked.name)
        for request, result in zip(requests, results, strict=True):
            won = request.answer == final.state
            assert isinstance(result, approvals_pb2.AnswerApprovalResponse) == won
        made = [found for found in await grants(fleet) if found.approval == asked.name]
        assert len(made) == (final.state == APPROVED)


async def test_an_answered_approval_survives_a_kill(tmp_path: Path) -> None:
    control = await start(tmp_path / "home", "port=0")
    async with called(tmp_path / "home") as fleet:
        await fleet.register()
        asked = await ask(fleet, network())
        kept = await ask(fleet, command())
        answered = await answer(fleet, asked.name, APPROVED, AGENT, 3600)
        await control.kill()
    control = await start(tmp_path / "home", "port=0")
    try:
        async with called(tmp_path / "home") as fleet:
            assert await shown(fleet, asked.name) == answered
            assert await shown(fleet, kept.name) == kept
            (grant,) = (await effective(fleet)).grants
            assert grant.name == answered.grant
    finally:
        assert await control.end() == 0


async def test_nobody_answering_in_time_is_a_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control.questions._WAIT_SECONDS", (1, 86_400))
    async with running(tmp_path) as fleet:
        await fleet.register()
        claim = await fleet.taken()
        watching = watched(fleet)
        directives = fleet.directives()
        asked = await ask(fleet, command(), claim.lease, wait_seconds=3)
        assert (await anext(watching)).state == PENDING
        assert (await fleet.get(claim.run.name)).state == runs_pb2.RUN_STATE_WAITING
        over = await anext(watching)
        assert (over.name, over.state, over.caller) == (asked.name, EXPIRED, "")
        assert not over.HasField("answer_time")
        assert (await told(directives, "approval")).approval.state == EXPIRED
        assert (await fleet.get(claim.run.name)).state == runs_pb2.RUN_STATE_RUNNING
        request = approvals_pb2.AnswerApprovalRequest(name=asked.name, answer=APPROVED)
        assert (await refused(fleet.operator.approvals.AnswerApproval(request))).reason == "APPROVAL_FINAL"
        assert (await ask(fleet, command(), claim.lease)).name != asked.name


async def test_a_grant_ends_in_time_and_what_it_let_through_is_cut(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await fleet.register()
        before = await effective(fleet)
        asked = await ask(fleet, network())
        await answer(fleet, asked.name, APPROVED, AGENT, 3)
        held = await effective(fleet)
        assert held.grants[0].HasField("expire_time")
        await fleet.report(box(1, held))
        order = (await told(fleet.directives(), "load_policy")).load_policy
        assert order.policy.digest == before.digest
        assert list(order.policy.grants) == []
        assert await grants(fleet) == []
        assert len(await grants(fleet, ended=True)) == 1


async def test_a_revoked_grant_is_cut_and_revoking_twice_is_as_once(fleet: Fleet) -> None:
    await fleet.register()
    asked = await ask(fleet, network())
    name = (await answer(fleet, asked.name)).grant
    await fleet.report(box(1, await effective(fleet)))
    directives = fleet.directives()
    request = approvals_pb2.RevokeGrantRequest(name=name)
    first = (await fleet.operator.approvals.RevokeGrant(request)).grant
    assert first.HasField("revoke_time")
    assert list((await told(directives, "load_policy")).load_policy.policy.grants) == []
    assert (await fleet.operator.approvals.RevokeGrant(request)).grant == first
    request.name = "grants/none"
    assert isinstance(await refused(fleet.operator.approvals.RevokeGrant(request)), NotFound)
    assert (await ask(fleet, network())).name != asked.name


async def test_a_grant_of_a_run_ends_with_it(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    asked = await ask(fleet, network(), claim.lease)
    waiting = await ask(fleet, command(), claim.lease)
    await answer(fleet, asked.name)
    await fleet.report(box(1, await effective(fleet), run=claim.run.name))
    directives = fleet.directives()
    await fleet.finish(claim.lease)
    assert list((await told(directives, "load_policy")).load_policy.policy.grants) == []
    assert (await shown(fleet, waiting.name)).state == EXPIRED
    assert await grants(fleet) == []


async def ended(fleet: Fleet, *asked: policies_pb2.Ask, session: bool = False) -> list[approvals_pb2.Approval]:
    """Ask these in a run, which then ends."""
    await fleet.register()
    claim = await (in_session(fleet) if session else fleet.taken())
    found = [await ask(fleet, what, claim.lease) for what in asked]
    await fleet.finish(claim.lease)
    return found


async def test_a_connection_can_be_answered_for_after_its_run_has_ended(fleet: Fleet) -> None:
    connection, held = await ended(fleet, network(), command())
    assert [(await shown(fleet, one.name)).state for one in (connection, held)] == [PENDING, EXPIRED]
    error = await refused(
        fleet.operator.approvals.AnswerApproval(
            approvals_pb2.AnswerApprovalRequest(name=connection.name, answer=APPROVED, scope=RUN)
        )
    )
    assert isinstance(error, InvalidArgument)
    assert (error.violations[0].field, "is over: choose AGENT" in error.message) == ("scope", True)
    assert await grants(fleet) == []
    answered = await answer(fleet, connection.name)
    assert answered.state == APPROVED
    assert await answer(fleet, connection.name) == answered
    (grant,) = await grants(fleet)
    assert (grant.scope, grant.subject, grant.ask) == (AGENT, "", network())
    assert grant.expire_time.seconds - grant.create_time.seconds == 3600
    assert [found.name for found in (await fleet.taken()).policy.policy.grants] == [grant.name]


@pytest.mark.parametrize(("scope", "hold_seconds"), [(SESSION, 0), (AGENT, 0), (AGENT, 60)])
async def test_a_yes_after_the_run_reaches_as_far_as_it_says(fleet: Fleet, scope: Any, hold_seconds: int) -> None:
    (asked,) = await ended(fleet, network(), session=True)
    await answer(fleet, asked.name, scope=scope, hold_seconds=hold_seconds)
    (grant,) = await grants(fleet)
    assert (grant.scope, grant.subject) == (scope, asked.session if scope == SESSION else "")
    assert grant.HasField("expire_time") == bool(hold_seconds)


async def test_a_question_of_a_run_that_is_over_gives_way_to_the_same_and_where_there_is_no_room(fleet: Fleet) -> None:
    first, second = await ended(fleet, network(port=1), network(port=2))
    again = await ask(fleet, network(port=2))
    assert [(await shown(fleet, one.name)).state for one in (first, second, again)] == [PENDING, EXPIRED, PENDING]
    for port in range(3, 101):
        await ask(fleet, network(port=port))
    assert (await shown(fleet, first.name)).state == PENDING
    await ask(fleet, network(port=101))
    assert (await shown(fleet, first.name)).state == EXPIRED
    error = await refused(
        fleet.worker.work.AskApproval(
            work_pb2.AskApprovalRequest(agent="agents/assistant", ask=network(port=102), wait_seconds=60)
        )
    )
    assert isinstance(error, ResourceExhausted)


async def test_grants_in_force_at_a_claim_are_an_event_and_not_of_the_stamp(fleet: Fleet) -> None:
    await fleet.register()
    plain = await fleet.taken()
    await fleet.finish(plain.lease)
    asked = await ask(fleet, network())
    await answer(fleet, asked.name)
    claim = await fleet.taken()
    assert claim.run.stamp == plain.run.stamp
    assert [found.approval for found in claim.policy.policy.grants] == [asked.name]
    events = await fleet.events(claim.run.name, replay_only=True)
    assert [event.WhichOneof("kind") for event in events] == ["created", "claimed", "policy_loaded"]


async def test_a_question_outside_a_run_is_told_to_workers_with_sandboxes_of_the_agent(fleet: Fleet) -> None:
    await fleet.register()
    await fleet.register("workers/two", "other")
    await fleet.report(box(1, await effective(fleet)))
    asked = await ask(fleet, network())
    assert (asked.run, asked.session) == ("", "")
    answered = await answer(fleet, asked.name)
    (grant,) = await grants(fleet)
    assert (grant.scope, grant.subject) == (AGENT, "")
    assert (await told(fleet.directives(), "approval")).approval == answered
    request = work_pb2.RenewLeasesRequest(worker="workers/two", incarnation="other")
    orders = (await fleet.worker.work.RenewLeases(request)).directives
    assert not any(order.HasField("approval") for order in orders)


async def test_a_run_waits_while_a_command_of_its_does(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    await ask(fleet, network(), claim.lease)
    assert (await fleet.get(claim.run.name)).state == runs_pb2.RUN_STATE_RUNNING
    asked = await ask(fleet, command(), claim.lease)
    assert (await fleet.get(claim.run.name)).state == runs_pb2.RUN_STATE_WAITING
    await answer(fleet, asked.name)
    assert (await fleet.get(claim.run.name)).state == runs_pb2.RUN_STATE_RUNNING
    await ask(fleet, command("other"), claim.lease)
    assert (await fleet.finish(claim.lease)).state == runs_pb2.RUN_STATE_SUCCEEDED


async def watched(fleet: Fleet) -> AsyncIterator[approvals_pb2.Approval]:
    call = fleet.operator.approvals.WatchApprovals(approvals_pb2.WatchApprovalsRequest(), timeout=60)
    async for found in call:
        yield found.approval


async def test_a_watcher_is_sent_what_waits_then_each_change(fleet: Fleet) -> None:
    await fleet.register()
    old = await ask(fleet, network("old.example.org"))
    await answer(fleet, old.name)
    waiting = await ask(fleet, network())
    async with asyncio.timeout(30):
        watching = watched(fleet)
        assert await anext(watching) == waiting
        asked = await ask(fleet, command())
        assert await anext(watching) == asked
        answered = await answer(fleet, waiting.name, DENIED)
        assert await anext(watching) == answered


async def test_a_watcher_that_comes_while_much_changes_misses_nothing(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()

    async def one(port: int) -> None:
        asked = await ask(fleet, network(port=port), claim.lease)
        await answer(fleet, asked.name, DENIED)

    async def many() -> None:
        await asyncio.gather(*(one(port) for port in range(1, 40)))

    late = [await ask(fleet, network("late.example.org", port), claim.lease) for port in range(1, 20)]
    begun = asyncio.Event()

    async def watch() -> None:
        wanted = {approval.name for approval in late}
        async for found in watched(fleet):
            begun.set()
            if found.state == DENIED:
                wanted.discard(found.name)
            if not wanted:
                return

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        changing = tasks.create_task(many())
        await begun.wait()
        await changing
        for approval in late:
            await answer(fleet, approval.name, DENIED)


async def test_watchers_are_told_when_control_ends(fleet: Fleet) -> None:
    await fleet.register()
    asked = await ask(fleet, network())
    call = fleet.operator.approvals.WatchApprovals(approvals_pb2.WatchApprovalsRequest(), timeout=60)
    assert (await call.read()).approval == asked
    fleet.stop.set()
    assert (await refused(call)).reason == "SHUTTING_DOWN"


async def test_an_agent_may_ask_a_hundred_things_at_once(fleet: Fleet) -> None:
    await fleet.register()
    await asyncio.gather(*(ask(fleet, network(port=port)) for port in range(1, 101)))
    request = work_pb2.AskApprovalRequest(agent="agents/assistant", ask=command(), wait_seconds=60)
    error = await refused(fleet.worker.work.AskApproval(request))
    assert isinstance(error, ResourceExhausted)
    assert "100" in error.message
    assert (await ask(fleet, network(port=7))).state == PENDING


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"ask": policies_pb2.Ask()}, "ask"),
        ({"ask": network("API.example.org")}, "ask.network.host"),
        ({"ask": network("")}, "ask.network.host"),
        ({"ask": network("a b")}, "ask.network.host"),
        ({"ask": network(port=0)}, "ask.network.port"),
        ({"ask": network(port=65536)}, "ask.network.port"),
        ({"ask": command("")}, "ask.command.command"),
        ({"ask": command("x" * 70_000)}, "ask.command.command"),
        ({"wait_seconds": 9}, "wait_seconds"),
        ({"wait_seconds": 86_401}, "wait_seconds"),
        ({"blast_radius": "x" * 5000}, "blast_radius"),
        ({"agent": "assistant"}, "agent"),
        ({"lease": work_pb2.Lease(run="runs/x")}, "lease.generation"),
    ],
)
async def test_a_bad_question_is_refused_with_its_field(fleet: Fleet, fields: dict[str, Any], bad: str) -> None:
    good: dict[str, Any] = {"agent": "agents/assistant", "ask": network(), "wait_seconds": 60}
    error = await refused(fleet.worker.work.AskApproval(work_pb2.AskApprovalRequest(**(good | fields))))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [bad]


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"answer": EXPIRED}, "answer"),
        ({"answer": APPROVED, "scope": 9}, "scope"),
        ({"answer": APPROVED, "hold_seconds": -1}, "hold_seconds"),
        ({"answer": APPROVED, "scope": AGENT, "hold_seconds": 31_536_001}, "hold_seconds"),
        ({"answer": APPROVED, "hold_seconds": 60}, "hold_seconds"),
        ({"answer": APPROVED, "scope": SESSION}, "scope"),
    ],
)
async def test_a_bad_answer_is_refused_with_its_field(fleet: Fleet, fields: dict[str, Any], bad: str) -> None:
    await fleet.register()
    claim = await fleet.taken()
    asked = await ask(fleet, network(), claim.lease)
    request = approvals_pb2.AnswerApprovalRequest(name=asked.name, **fields)
    error = await refused(fleet.operator.approvals.AnswerApproval(request))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [bad]
    assert (await shown(fleet, asked.name)).state == PENDING


async def test_pages_of_approvals_and_grants(fleet: Fleet) -> None:
    await fleet.register()
    for port in range(1, 6):
        asked = await ask(fleet, network(port=port))
        if port % 2:
            await answer(fleet, asked.name)
    request = approvals_pb2.ListApprovalsRequest(page_size=2, states=[APPROVED], agent="agents/assistant")
    first = await fleet.operator.approvals.ListApprovals(request)
    assert [found.ask.network.port for found in first.approvals] == [5, 3]
    request.page_token = first.next_page_token
    second = await fleet.operator.approvals.ListApprovals(request)
    assert [found.ask.network.port for found in second.approvals] == [1]
    assert not second.next_page_token
    wanted = approvals_pb2.ListGrantsRequest(page_size=2)
    page = await fleet.operator.approvals.ListGrants(wanted)
    wanted.page_token = page.next_page_token
    rest = await fleet.operator.approvals.ListGrants(wanted)
    assert [found.ask.network.port for found in [*page.grants, *rest.grants]] == [5, 3, 1]
