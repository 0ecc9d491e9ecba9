"""Questions to people, against a served control: each is put once, a no holds, and there are never too many."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from signet.kit import dial
from signet.kit.errors import SignetError, Unavailable
from signet.policy.decision import Attempt
from signet.policy.model import Approvals as Asking
from signet.policy.model import Block, Endpoint, Network, Policy
from signet.v1 import approvals_pb2
from signet.work.v1 import work_pb2
from tests.fakes.work import TOKEN, Work, assignment, serving
from workers import approvals as waiting
from workers import questions
from workers.approvals import Approvals
from workers.clock import now
from workers.control import Control
from workers.egress import Decided
from workers.guest import EVENTS, Guest
from workers.lease import Held
from workers.questions import QUESTIONS, Questions, of_command, of_connection
from workers.upload import Uploader

APPROVED, DENIED = approvals_pb2.APPROVAL_STATE_APPROVED, approvals_pb2.APPROVAL_STATE_DENIED
POLICY = Policy(approvals=Asking(network="ask", wait_seconds=600))
CURL = of_connection(Attempt("a.test", 443, ("/usr/bin/curl",)), POLICY, "scribe")
WGET = of_connection(Attempt("a.test", 443, ("/usr/bin/wget",)), POLICY, "scribe")
DELETE = of_command("rm x", POLICY, "scribe")


@dataclass
class Desk:
    """Who asks: in a run as `guest`, outside of one as `alone`."""

    work: Work
    approvals: Approvals
    guest: Guest
    alone: Questions

    async def answer(self, state: "approvals_pb2.ApprovalState", count: int = 1) -> approvals_pb2.Approval:
        """Answer a question when it stands."""
        approval = await self.work.question(count)
        approval.state, approval.caller = state, "tokens/operator"
        self.approvals.answered(approval)
        return approval


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    work = Work()
    async with serving(work, tmp_path / "s") as target, dial.channel(target, TOKEN) as channel:
        control = Control(channel, "workers/w")
        await control.register(work_pb2.RegisterWorkerRequest(capacity=1))
        await work.offer(assignment(""))
        claimed = await control.claim(1)
        assert claimed
        held = Held(claimed.run.name, 1, now() + 10)
        uploader = Uploader(control, held, claimed.next_sequence)
        approvals = Approvals(control)
        guest = Guest(claimed.run, held, uploader, approvals, 60)
        alone = Questions(approvals, "scribe")
        yield Desk(work, approvals, guest, alone)
        await guest.leave()
        await alone.aclose()
        await uploader.aclose()


async def test_the_same_question_of_several_is_put_once_and_answers_all(desk: Desk) -> None:
    """Which program asks makes no difference: it can be forged."""
    asking = asyncio.gather(desk.guest.questions.ask(CURL), desk.guest.questions.ask(WGET))
    await desk.answer(APPROVED)
    assert [answer.yes for answer in await asking] == [True, True]
    assert len(desk.work.asked) == 1


async def test_what_is_put_is_named_before_it_is_answered(desk: Desk) -> None:
    name = await desk.guest.questions.put(CURL)
    assert name == (await desk.work.question()).name
    assert desk.work.asked[0].lease.run == desk.guest.name


async def test_a_no_holds_for_the_rest_of_a_run(desk: Desk) -> None:
    asking = asyncio.create_task(desk.guest.questions.ask(DELETE))
    approval = await desk.answer(DENIED)
    first = await asking
    assert (first.yes, first.why) == (False, f"denied by tokens/operator ({approval.name})")
    assert await desk.guest.questions.ask(DELETE) == first
    assert await desk.guest.questions.put(DELETE) == ""
    assert len(desk.work.asked) == 1


async def test_a_no_outside_a_run_is_forgotten_after_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "NO_SECONDS", -1.0)
    asking = asyncio.create_task(desk.alone.ask(CURL))
    await desk.answer(DENIED)
    assert not (await asking).yes
    await desk.alone.put(CURL)
    assert len(desk.work.asked) == 2
    assert not desk.work.asked[1].HasField("lease")


async def test_a_run_asks_no_more_than_it_may(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "QUESTIONS", 2)
    for command in ("one", "two"):
        assert await desk.guest.questions.put(of_command(command, POLICY, "scribe"))
    refused = await desk.guest.questions.ask(of_command("three", POLICY, "scribe"))
    assert (refused.yes, refused.why) == (False, "not asked: there were 2 questions already")
    assert len(desk.work.asked) == 2
    assert QUESTIONS == 100


async def test_an_answer_that_never_comes_is_a_no(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where control does not say so itself."""
    monkeypatch.setattr(waiting, "GRACE_SECONDS", -9.99)
    quick = of_command("rm x", Policy(approvals=Asking(wait_seconds=10)), "scribe")
    answer = await asyncio.wait_for(desk.guest.questions.ask(quick), 10)
    assert (answer.yes, answer.state) == (False, approvals_pb2.APPROVAL_STATE_EXPIRED)
    assert answer.why.startswith("nobody answered")


async def test_an_answer_that_overtakes_the_question_counts(desk: Desk) -> None:
    """It comes on another stream."""

    def early(_: str, __: object) -> SignetError | None:
        for approval in desk.work.approvals.values():
            answered = approvals_pb2.Approval(name=approval.name, state=APPROVED)
            desk.approvals.answered(answered)
        return None

    desk.work.after = early
    assert (await asyncio.wait_for(desk.guest.questions.ask(DELETE), 10)).yes


async def test_a_control_that_is_away_for_a_moment_is_asked_again(desk: Desk) -> None:
    failures = [Unavailable("STORE_UNAVAILABLE", "away")] * 2

    def stumbling(method: str, _: object) -> SignetError | None:
        return failures.pop() if method == "AskApproval" and failures else None

    desk.work.fault = stumbling
    assert await desk.guest.questions.put(CURL)
    assert not failures


async def test_a_run_that_leaves_waits_for_no_answer(desk: Desk) -> None:
    asking = asyncio.create_task(desk.guest.questions.ask(DELETE))
    await desk.work.question()
    await desk.guest.leave()
    with pytest.raises(asyncio.CancelledError):
        await asking


def test_people_are_told_what_a_yes_would_open() -> None:
    network = Network((Block("b", tuple(Endpoint(f"h{number}.test") for number in range(7))),))
    told = of_command("rm x", Policy(tier="strict", network=network), "scribe").blast_radius
    assert "exactly this command line" in told
    assert "its strict sandbox" in told
    assert "h4.test and 2 more places" in told
    assert "no network" in DELETE.blast_radius
    assert "a.test:443" in CURL.blast_radius
    assert CURL.text == "connect to a.test:443 (/usr/bin/curl)"


async def test_a_runs_record_has_a_bounded_number_of_decisions_and_says_that_there_were_more(desk: Desk) -> None:
    for port in range(1, EVENTS + 3):
        desk.guest.decisions.note(Decided("a.test", port, "", "", "", "/" + "x" * 9999, "deny", "default", ""))
    writer = asyncio.create_task(desk.guest.uploader.run())
    await desk.guest.uploader.commit()
    writer.cancel()
    await asyncio.wait([writer])
    run = desk.guest.name
    decided = desk.work.of(run, "egress_decided")
    assert len(decided) == EVENTS
    assert len(decided[0].egress_decided.path) < 1100
    assert [event.notice.code for event in desk.work.of(run, "notice")] == ["egress_cut"]
