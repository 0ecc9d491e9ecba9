"""What happens around a run: control away, leases lost, sidecar or router gone, the worker stopped or killed."""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import pytest

from signet.kit.errors import ResourceExhausted, SignetError, Unavailable
from signet.kit.lifecycle import StartError
from signet.up.memory import parents
from signet.v1 import runs_pb2
from tests.fakes import door as doors
from tests.fakes.door import STREAM, Door, chunk, json_answer
from tests.fakes.work import RUN_TOKEN, TOKEN, Work
from tests.integration.worker.conftest import SCRIPTED, Begun, Bench, Wait, children, inside, ours, said
from workers.sandbox.spec import Entry

SUCCEEDED = runs_pb2.RUN_STATE_SUCCEEDED


def sometimes(every: int, error: SignetError) -> Any:
    """Make a fault of every so-manieth call but registrations and claims."""
    count = 0

    def fault(method: str, _request: Any) -> SignetError | None:
        nonlocal count
        count += method in ("AppendEvents", "PutBlob", "FinishRun")
        return error if method in ("AppendEvents", "PutBlob", "FinishRun") and count % every else None

    return fault


def texts(work: Work, run: str) -> str:
    return "".join(event.text.text for event in work.of(run, "text"))


async def test_no_event_is_lost_doubled_or_reordered_while_control_stumbles(bench: Bench) -> None:
    """Calls fail before they have an effect and, worse, after they had one."""
    bench.work.fault = sometimes(2, Unavailable("STORE_UNAVAILABLE", "stumbling"))
    bench.work.after = sometimes(3, Unavailable("STORE_UNAVAILABLE", "stored, but the answer is lost"))
    bench.door.answers = [json_answer(b"{}")]
    numbers = [f"{number} " for number in range(300)]
    async with bench.worker():
        run = await bench.run(*(["say", number] for number in numbers), ["ask", {}], "finish")
        ending = await bench.work.outcome(run)
    assert ending.outcome == SUCCEEDED
    assert texts(bench.work, run) == "".join(numbers)


async def test_a_full_disk_holds_a_run_up_and_loses_nothing_of_it(bench: Bench) -> None:
    bench.work.fault = sometimes(4, ResourceExhausted("DISK_FULL", "no space is left"))
    async with bench.worker():
        run = await bench.run(["say", "kept"], "finish")
        await bench.work.outcome(run)
    assert texts(bench.work, run) == "kept"


async def test_a_runtime_is_held_up_while_its_events_cannot_be_stored(bench: Bench) -> None:
    """Else the worker's memory would be the bound."""
    await bench.work.hang("AppendEvents")
    piece = "x" * 65536
    async with bench.worker():
        run = await bench.run(["say", piece, 250], ["write", "through", ""], ["finish", ""])
        through = bench.home.workspaces / "scribe" / "through"
        await bench.work.until(lambda: "AppendEvents" in bench.work.calls)
        calls = len(bench.work.calls)
        await bench.work.until(lambda: bench.work.calls[calls:].count("ClaimRun") > 1)
        assert not through.exists()
        await bench.work.hang()
        await bench.work.outcome(run)
        assert through.exists()
    assert len(texts(bench.work, run)) == 250 * 65536


async def test_a_run_that_control_gave_away_is_killed_and_writes_nothing_more(
    bench: Bench, begun: Begun, eventually: Wait
) -> None:
    bench.work.lease_seconds = 2
    async with bench.worker():
        run = await bench.run(["call", "a", "exec", {"command": "echo on; exec sleep 3600"}], ["take", 1])
        await bench.work.seen(run, "tool_output")
        before, stored = await begun("sleep"), len(bench.work.events[run])
        bench.work.lost.add(run)
        await eventually(lambda: not inside("sleep") & before)
        after = await bench.work.outcome(await bench.run(["finish", "next"]))
    assert after.output == "next"
    assert len(bench.work.events[run]) == stored
    assert run not in bench.work.finished


async def test_a_worker_that_cannot_renew_kills_its_sandboxes_before_the_lease_ends(
    bench: Bench, begun: Begun, eventually: Wait
) -> None:
    """A partition: control answers nothing any more, and counts the lease from the last renewal that it heard."""
    bench.work.lease_seconds = 3
    async with bench.worker():
        run = await bench.run(["call", "a", "exec", {"command": "echo on; exec sleep 3600"}], ["take", 1])
        await bench.work.seen(run, "tool_output")
        before = await begun("sleep")
        await bench.work.hang("RenewLeases", "AppendEvents", "ClaimRun", "FinishRun")
        await eventually(lambda: not inside("sleep") & before)
        assert time.monotonic() < bench.work.leases[run].expires
        await bench.work.hang()
    assert run not in bench.work.finished


async def test_a_lease_counts_from_when_it_was_asked_for_and_not_from_the_answer(bench: Bench) -> None:
    """An answer that was long under way carries a right that is nearly over: nothing is begun under it."""
    bench.work.lease_seconds = 3
    async with bench.worker():
        await bench.work.hang("Claimed", "RenewLeases")
        run = await bench.run(["finish", "too late"])
        await bench.work.until(lambda: run in bench.work.leases)
        await asyncio.sleep(bench.work.leases[run].expires - time.monotonic() - 0.4)
        await bench.work.hang("RenewLeases")
        claims = bench.work.calls.count("ClaimRun")
        await bench.work.until(lambda: bench.work.calls.count("ClaimRun") > claims)
        await bench.work.hang()
        assert (await bench.work.outcome(await bench.run(["finish", "next"]))).output == "next"
    assert run not in bench.work.finished
    assert bench.work.events[run] == []


async def test_a_worker_that_control_forgot_registers_anew_and_goes_on(bench: Bench) -> None:
    bench.work.lease_seconds = 3
    async with bench.worker():
        run = await bench.run("hang")
        await bench.work.seen(run, "sandbox_opened")
        first = bench.work.registrations.pop()
        await bench.work.until(lambda: len(bench.work.registrations) == 1)
        ending = await bench.work.outcome(await bench.run(["finish", "again"]))
    assert ending.output == "again"
    assert run not in bench.work.finished
    assert bench.work.registrations[0].incarnation != first.incarnation


async def test_a_drained_worker_takes_nothing_until_the_drain_ends(bench: Bench) -> None:
    bench.work.lease_seconds = 3
    async with bench.worker():
        running = await bench.run(["hold", "go"], ["finish", "ran on"])
        await bench.work.seen(running, "sandbox_opened")
        bench.work.direct(drain=True)
        claims = bench.work.calls.count("ClaimRun")
        waiting = None
        await bench.work.until(lambda: bench.work.calls.count("RenewLeases") > 3)
        if bench.work.calls.count("ClaimRun") <= claims + 1:  # the claim that was under way had nothing to take
            waiting = await bench.run(["finish", "taken"], agent="other")
        await bench.work.until(lambda: bench.work.calls.count("RenewLeases") > 5)
        assert waiting
        assert waiting not in bench.work.events
        (bench.home.workspaces / "scribe" / "go").touch()
        assert (await bench.work.outcome(running)).output == "ran on"
        bench.work.direct(drain=False)
        assert (await bench.work.outcome(waiting)).output == "taken"


async def test_a_worker_that_is_stopped_finishes_what_runs_within_its_grace(bench: Bench) -> None:
    async with bench.worker(drain_seconds=30) as stop:
        run = await bench.run(["hold", "go"], ["finish", "done"])
        await bench.work.seen(run, "sandbox_opened")
        stop.set()
        (bench.home.workspaces / "scribe" / "go").touch()
    assert bench.work.finished[run].output == "done"


async def test_what_is_not_done_within_the_grace_is_killed_and_left_to_control(bench: Bench) -> None:
    async with bench.worker(drain_seconds=0.1):
        run = await bench.run("hang")
        await bench.work.seen(run, "sandbox_opened")
    assert run not in bench.work.finished
    assert not ours("scripted")


async def test_a_sidecar_that_dies_is_started_anew_and_its_exchange_ends_with_a_reason(bench: Bench) -> None:
    bench.door.answers = [[STREAM, chunk(b"data: Once\n\n"), asyncio.Event()], json_answer(b"{}")]
    async with bench.worker():
        before = ours("inference")
        run = await bench.run(["stream", {}], ["hold", "go"], ["ask", {}], "finish")
        await bench.work.seen(run, "text")
        [sidecar] = ours("inference") - before
        os.kill(sidecar, signal.SIGKILL)
        await bench.work.seen(run, "model_call_finished")
        (bench.home.workspaces / "scribe" / "go").touch()
        ending = await bench.work.outcome(run)
    calls = [event.model_call_finished for event in bench.work.of(run, "model_call_finished")]
    assert [(call.index, call.status) for call in calls] == [(1, 0), (2, 200)]
    assert "sidecar ended" in calls[0].error
    assert json.loads(ending.output) == [[200, "{}"]]


async def test_a_sidecar_that_died_between_two_runs_is_there_for_the_next(bench: Bench, eventually: Wait) -> None:
    bench.door.answers = [json_answer(b"{}")]
    async with bench.worker():
        before = ours("inference")
        await bench.work.outcome(await bench.run(["finish", ""]))
        [sidecar] = ours("inference") - before
        os.kill(sidecar, signal.SIGKILL)
        await eventually(lambda: sidecar not in ours("inference"))
        ending = await bench.work.outcome(await bench.run(["ask", {}], "finish"))
    assert json.loads(ending.output) == [[200, "{}"]]


async def test_a_worker_whose_zygote_dies_ends_and_says_why(bench: Bench) -> None:
    """Every sandbox died with it; whoever started the worker starts it again."""
    worker = asyncio.create_task(bench.serve(asyncio.Event(), {"scripted": Entry(f"{SCRIPTED}:main")}))
    run = await bench.run("hang")
    await bench.work.seen(run, "sandbox_opened")
    [zygote] = [pid for pid in ours("signet-zygote") if parents()[pid] == os.getpid()]
    os.kill(zygote, signal.SIGKILL)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(worker, 30)
    assert caught.group_contains(StartError, match="zygote died")
    assert run not in bench.work.finished


async def test_a_model_call_waits_for_a_router_that_starts_again(bench: Bench) -> None:
    late = bench.home.socket("late.sock")
    door = Door([json_answer(b'{"late": true}')])
    async with bench.worker(door=f"unix:{late}", router_wait_seconds=30):
        run = await bench.run(["ask", {}], "finish")
        await bench.work.seen(run, "model_call_started")
        async with doors.serving(door, late):
            ending = await bench.work.outcome(run)
    assert json.loads(ending.output) == [[200, '{"late": true}']]


async def test_a_router_that_stays_away_is_an_error_that_says_when_to_ask_again(bench: Bench) -> None:
    async with bench.worker(door=f"unix:{bench.home.socket('nobody.sock')}", router_wait_seconds=0.1):
        run = await bench.run(["ask", {}], "finish")
        [[status, body]] = json.loads((await bench.work.outcome(run)).output)
    assert (status, json.loads(body)["error"]["code"]) == (503, "router_unavailable")
    [call] = bench.work.of(run, "model_call_finished")
    assert call.model_call_finished.status == 503
    assert "router is away" in call.model_call_finished.error


async def test_no_secret_is_in_a_sandbox(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's token goes from the worker to the sidecar; the worker's own never leaves it."""
    (bench.home.keys / "run.key").write_text("the-planted-key")
    monkeypatch.setenv("SIGNET_PLANTED", "the-planted-variable")
    bench.door.answers = [json_answer(b"{}")]
    secrets = [RUN_TOKEN, TOKEN, "the-planted", str(bench.home.root), "SIGNET_"]
    backwards = [secret[::-1] for secret in secrets]
    async with bench.worker():
        run = await bench.run(
            ["write", "bait", "the-bait"], ["ask", {}], ["snoop", *backwards, "tiab-eht"], ["hold", "go"], "finish"
        )
        await bench.work.seen(run, "model_call_finished")
        assert not [pid for pid in children(os.getpid()) if "sgr_" in said(pid)]
        (bench.home.workspaces / "scribe" / "go").touch()
        ending = await bench.work.outcome(run)
    assert bench.door.asked[0].header("authorization") == [f"Bearer {RUN_TOKEN}"]
    answer, snooped = json.loads(ending.output)
    assert answer[0] == 200
    assert snooped["found"] == [["the-bait", "/workspace/bait"]]
    assert snooped["places"] > 10
    for event in bench.work.events[run]:
        assert b"sgr_" not in event.SerializeToString()
    for body in bench.work.blobs.values():
        assert b"sgr_" not in body


async def test_a_killed_worker_leaves_no_process_behind(bench: Bench, eventually: Wait) -> None:
    """And whoever starts it again has nothing to clean up."""
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from signet.kit.home import Home\n"
        "from signet.kit.log import get\n"
        "from workers import app\n"
        "from workers.options import Options\n"
        "from workers.sandbox.spec import Entry\n"
        f"runtimes = {{'scripted': Entry('{SCRIPTED}:main')}}\n"
        f"preload = (*app.PRELOAD, '{SCRIPTED}')\n"
        "async def main():\n"
        "    home, options = Home(Path(sys.argv[1])), Options(name='killed')\n"
        "    await app.serve(home, options, asyncio.Event(), get('worker'), runtimes=runtimes, preload=preload)\n"
        "asyncio.run(main())\n"
    )
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(bench.home.root))
    run = await bench.run(["fork", 2], ["call", "a", "exec", {"command": "echo on; exec sleep 3600"}], "hang")
    await bench.work.seen(run, "tool_output")
    family = children(worker.pid)
    assert len(family) >= 6  # zygote, sidecar, pid 1, runtime with two children, tool
    worker.kill()
    await worker.wait()
    await eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family))  # noqa: PTH110 - cheap, often
