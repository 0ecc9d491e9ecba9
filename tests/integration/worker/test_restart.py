"""A worker that is restarted cleanly: one process throughout, and the sandboxes that were warm still are."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from signet.up.memory import parents
from signet.v1 import runs_pb2
from tests.fakes.door import json_answer
from tests.fakes.site import Site
from tests.fakes.work import order
from tests.integration.worker.conftest import HOST, SCRIPTED, Bench, Wait, execs, results, told

ROOT = Path(__file__).parents[3]
PROGRAM = f"""
import asyncio, sys
from pathlib import Path
from signet.kit.home import Home
from signet.kit.lifecycle import run_until_signalled
from signet.kit.log import get
from workers import app
from workers.options import Options
from workers.sandbox.spec import Entry
options = Options(name="bench", drain_seconds=0, restart_seconds=float(sys.argv[2]))
async def main(stop):
    await app.serve(Home(Path(sys.argv[1])), options, stop, get("worker"),
                    runtimes={{"scripted": Entry("{SCRIPTED}:main")}}, preload=(*app.PRELOAD, "{SCRIPTED}"))
run_until_signalled(main)
"""


@asynccontextmanager
async def worker(bench: Bench, restart_seconds: float = 60) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker as a process of its own until the end."""
    argv = [sys.executable, "-c", PROGRAM, str(bench.home.root), str(restart_seconds)]
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT)
    try:
        await bench.work.until(lambda: bool(bench.work.registrations))
        yield process
    finally:
        process.terminate()
        await process.wait()


async def test_a_warm_sandbox_survives_a_clean_restart_with_its_way_out_and_its_log(bench: Bench, site: Site) -> None:
    policy = order(
        f'network:\n  site: {{endpoints: [{{host: "{HOST}", port: {site.port}, allowed_ips: [{HOST}]}}]}}\n'
        f'secrets:\n  site: {{secret: site-token, env: SITE_TOKEN, host: "{HOST}", port: {site.port}}}\n'
    )
    bench.door.answers = [json_answer(b'{"value": "the-real-value"}')]
    async with worker(bench) as process:
        first = await bench.run(*execs("echo kept > /tmp/mine; echo $SITE_TOKEN"), policy=policy)
        token = results(await bench.work.outcome(first))[0]
        before = await told(bench, lambda one: not one.run and one.agent == "agents/scribe")
        process.send_signal(signal.SIGHUP)
        await bench.work.until(lambda: len(bench.work.registrations) == 2)
        anew = bench.work.registrations[1].incarnation
        await bench.work.until(lambda: bench.work.reports[-1].incarnation == anew)
        after = await told(bench, lambda one: one.name == before.name)
        asking = f"cat /tmp/mine; echo $SITE_TOKEN; curl -s http://{HOST}:{site.port}/"
        second = await bench.run(*execs(asking), policy=policy)
        ending = await bench.work.outcome(second)
        assert process.returncode is None
    [opened] = bench.work.of(second, "sandbox_opened")
    assert (opened.sandbox_opened.warm, opened.sandbox_opened.sandbox) == (True, before.name.partition(".")[2])
    assert results(ending)[0].startswith(f"kept\n{token.splitlines()[0]}\nhello from the site")
    assert after.open_time == before.open_time
    assert after.policy_digest == policy.policy.digest


async def test_a_run_is_finished_before_the_worker_begins_anew(bench: Bench) -> None:
    bench.work.lease_seconds = 3
    async with worker(bench) as process:
        run = await bench.run(["say", "on"], ["hold", "go"], ["finish", "done"])
        await bench.work.seen(run, "text")
        process.send_signal(signal.SIGHUP)
        renewals = len(bench.work.sandboxes)
        await bench.work.until(lambda: len(bench.work.sandboxes) > renewals + 3)
        assert len(bench.work.registrations) == 1
        (bench.home.workspaces / "scribe" / "go").touch()
        ending = await bench.work.outcome(run)
        await bench.work.until(lambda: len(bench.work.registrations) == 2)
    assert (ending.outcome, ending.output) == (runs_pb2.RUN_STATE_SUCCEEDED, "done")


async def test_a_run_that_is_not_done_in_time_does_not_hold_up_a_restart_and_nothing_of_it_stays(
    bench: Bench, eventually: Wait
) -> None:
    async with worker(bench, restart_seconds=0.1) as process:
        run = await bench.run(["say", "on"], "hang")
        await bench.work.seen(run, "text")
        process.send_signal(signal.SIGHUP)
        await bench.work.until(lambda: len(bench.work.registrations) == 2)
        again = await bench.run("processes", "finish")
        ending = await bench.work.outcome(again)
        assert not bench.work.of(again, "sandbox_opened")[0].sandbox_opened.warm
        pid = process.pid
    assert run not in bench.work.finished
    assert ending.output == "[2]"
    await eventually(lambda: pid not in parents().values())
