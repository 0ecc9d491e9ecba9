"""Questions to people on a real worker: who is asked, what waits meanwhile, and what comes of each answer."""

import asyncio

from signet.kit.errors import ResourceExhausted, SignetError
from signet.v1 import approvals_pb2, policies_pb2, runs_pb2
from tests.fakes.site import Site
from tests.fakes.work import grant, order
from tests.integration.worker.conftest import Bench, execs, results

APPROVED, DENIED = approvals_pb2.APPROVAL_STATE_APPROVED, approvals_pb2.APPROVAL_STATE_DENIED
EXPIRED = approvals_pb2.APPROVAL_STATE_EXPIRED
NAMED = "localhost"
"""A name, for nobody is asked for an address that is not public."""
ASKING = "commands: {ask: ['touch *']}\napprovals: {wait: 1h}\n"


def kinds(bench: Bench, run: str) -> list[str]:
    return [str(event.WhichOneof("kind")) for event in bench.work.events[run]]


async def test_a_command_waits_for_a_yes_and_then_runs(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(*execs("touch made"), policy=order(ASKING))
        approval = await bench.work.question()
        assert not (bench.home.workspaces / "scribe" / "made").exists()
        bench.work.answer(approval.name, APPROVED)
        ending = await bench.work.outcome(run)
    assert ending.outcome == runs_pb2.RUN_STATE_SUCCEEDED
    assert (bench.home.workspaces / "scribe" / "made").exists()
    assert kinds(bench, run) == [
        "sandbox_opened", "approval_requested", "approval_answered", "tool_call_started", "tool_call_finished",
    ]  # fmt: skip
    [asked] = bench.work.asked
    assert (asked.lease.run, asked.agent, asked.wait_seconds) == (run, "agents/scribe", 3600)
    assert asked.ask.command.command == "touch made"
    assert "exactly this command" in asked.blast_radius
    [answered] = [event.approval_answered for event in bench.work.of(run, "approval_answered")]
    assert (answered.approval, answered.answer, answered.caller) == (approval.name, "APPROVED", "tokens/operator")
    assert bench.work.of(run, "tool_call_started")[0].tool_call_started.verdict == "allow"


async def test_a_no_is_told_to_the_model_with_what_is_right_and_holds_for_the_run(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(*execs("touch made", "touch made", "ls"), policy=order(ASKING))
        approval = await bench.work.question()
        bench.work.answer(approval.name, DENIED)
        ending = await bench.work.outcome(run)
    first, second, listed = results(ending)
    assert "denied by tokens/operator" in first
    assert "commands.ask[0]" in first
    assert second == first
    assert "made" not in listed
    assert len(bench.work.asked) == 1


async def test_nobody_answering_is_a_no(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(*execs("touch made"), policy=order(ASKING))
        approval = await bench.work.question()
        bench.work.answer(approval.name, EXPIRED, "")
        ending = await bench.work.outcome(run)
    assert "nobody answered" in results(ending)[0]
    assert [event.approval_answered.answer for event in bench.work.of(run, "approval_answered")] == ["EXPIRED"]


async def test_other_calls_go_on_while_one_waits(bench: Bench) -> None:
    script = [
        ["call", "a", "exec", {"command": "touch made"}],
        ["call", "b", "exec", {"command": "echo beside"}],
        ["take", 1],
        ["say", "b is done"],
        ["take", 1],
        "finish",
    ]
    async with bench.worker():
        run = await bench.run(*script, policy=order(ASKING))
        await bench.work.seen(run, "text")
        bench.work.answer((await bench.work.question()).name, APPROVED)
        ending = await bench.work.outcome(run)
    assert results(ending)[0].startswith("beside")


async def test_a_run_that_is_cancelled_while_it_asks_ends_at_once(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(*execs("touch made"), policy=order(ASKING))
        await bench.work.question()
        bench.work.direct(cancel_run=run)
        ending = await bench.work.outcome(run)
    assert ending.outcome == runs_pb2.RUN_STATE_CANCELLED
    assert not bench.work.of(run, "tool_call_started")


async def test_the_time_that_a_person_takes_is_not_the_runs(bench: Bench) -> None:
    """The run's time is over before control hears twice of its worker, were it not that it stands still."""
    async with bench.worker():
        run = await bench.run(*execs("touch made"), policy=order(ASKING), limits={"max_seconds": 3})
        approval = await bench.work.question()
        renewals = len(bench.work.sandboxes)
        await bench.work.until(lambda: len(bench.work.sandboxes) >= renewals + 2)
        assert run not in bench.work.finished
        bench.work.answer(approval.name, APPROVED)
        ending = await bench.work.outcome(run)
    assert ending.outcome == runs_pb2.RUN_STATE_SUCCEEDED


async def test_where_nobody_can_be_asked_it_stays_denied(bench: Bench) -> None:
    def full(method: str, _: object) -> SignetError | None:
        return ResourceExhausted("LIMIT_REACHED", "100 wait already") if method == "AskApproval" else None

    bench.work.fault = full
    async with bench.worker():
        ending = await bench.work.outcome(await bench.run(*execs("touch made", "ls"), policy=order(ASKING)))
    first, listed = results(ending)
    assert "100 wait already" in first
    assert "made" not in listed


async def test_a_connection_that_is_denied_is_asked_for_and_a_yes_reaches_the_way_out(bench: Bench, site: Site) -> None:
    """A yes to a name does not open addresses that are not public: those the policy itself has to list."""
    text = "approvals: {network: ask, wait: 1h}\n"
    curl = f"curl -s --noproxy '' http://{NAMED}:{site.port}/"
    async with bench.worker():
        run = await bench.run(*execs(curl)[:-1], ["hold", "go"], *execs(curl), policy=order(text))
        approval = await bench.work.question()
        assert (approval.ask.network.host, approval.ask.network.port) == (NAMED, site.port)
        assert (approval.run, bench.work.asked[0].wait_seconds) == (run, 3600)
        bench.work.answer(approval.name, APPROVED)
        bench.work.direct(load_policy=order(text, grant(approval.ask, run)))
        await bench.work.seen(run, "policy_loaded")
        (bench.home.workspaces / "scribe" / "go").touch()
        ending = await bench.work.outcome(run)
    before, after = results(ending)
    assert "approval_requested" in before
    assert approval.name in before
    assert "a loopback address" in after
    requested = bench.work.of(run, "approval_requested")
    assert [event.approval_requested.approval for event in requested] == [approval.name]
    assert [event.approval_answered.answer for event in bench.work.of(run, "approval_answered")] == ["APPROVED"]
    assert site.connections == 0


async def test_a_connection_is_held_while_a_person_is_asked_and_goes_on_once_it_may(bench: Bench) -> None:
    site = await Site().start()
    asking = "approvals: {network: ask, wait: 1h, hold: 2m}\n"
    listed = f'{{host: {NAMED}, port: {site.port}, allowed_ips: [127.0.0.1, "::1"]}}'
    open_to = f"network:\n  site: {{endpoints: [{listed}]}}\n"
    async with bench.worker():
        run = await bench.run(*execs(f"curl -s --noproxy '' http://{NAMED}:{site.port}/"), policy=order(asking))
        approval = await bench.work.question()
        bench.work.answer(approval.name, APPROVED)
        bench.work.direct(load_policy=order(asking + open_to, version=2))
        ending = await bench.work.outcome(run)
    await site.aclose()
    assert "hello from the site" in results(ending)[0]
    assert site.connections == 1


async def test_a_command_granted_while_it_is_asked_is_not_asked_again(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(*execs("touch made", "touch made"), policy=order(ASKING))
        approval = await bench.work.question()
        ask = policies_pb2.Ask(command=policies_pb2.CommandAsk(command="touch made"))
        bench.work.direct(load_policy=order(ASKING, grant(ask, run)))
        await bench.work.seen(run, "policy_loaded")
        bench.work.answer(approval.name, APPROVED)
        await asyncio.wait_for(bench.work.outcome(run), 30)
    assert len(bench.work.asked) == 1
