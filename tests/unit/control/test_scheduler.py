"""The scheduler: a run is never left in the hands of a caller that is gone."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from control.bells import Bells
from control.claims import Terms
from control.fleet import Fleet
from control.orders import Desk
from control.relay import Relays
from control.scheduler import Scheduler
from control.store import database, runs
from control.store.readers import Readers
from control.store.workers import Worker
from control.store.writer import Transaction, Writer
from signet.kit.errors import Unavailable
from signet.kit.log import get
from signet.v1 import runs_pb2
from tests.unit.control import seed


async def test_a_run_taken_for_a_caller_that_left_is_offered_again_at_once(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    database.open_schema(path)
    bells = Bells()
    async with Readers(path) as readers, Writer(path) as writer:
        scheduler = Scheduler(writer, bells, Terms(3600, 1000, b"k" * 32), 2, get("test"))
        worker = Worker("a", "a1", "", "", 4, ("builtin",), b"", 0, 1, draining=False, active_runs=0)
        await Fleet(readers, writer, bells, Desk(Relays(bells), b""), 3600, 2).register(worker)
        await writer.write(partial(seed.run, ident="1"))
        held, go_on = threading.Event(), threading.Event()

        def hold(_transaction: Transaction) -> None:
            held.set()
            go_on.wait(10)

        holding = asyncio.create_task(writer.write(hold))
        await asyncio.to_thread(held.wait, 10)
        leaving = asyncio.create_task(scheduler.claim("a", "a1", 30))
        for _ in range(5):
            await asyncio.sleep(0)  # the claim is queued behind the change that holds the writer
        leaving.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await holding
        with pytest.raises(asyncio.CancelledError):
            await leaving
        row = await readers.read(partial(runs.row, ident="1"))
        assert row is not None
        assert (row.state, row.attempts) == (runs_pb2.RUN_STATE_PENDING, 1)
        async with asyncio.timeout(10):
            again = await scheduler.claim("a", "a1", 30)
        assert again is not None
        assert again.run.name == "runs/1"


async def test_whoever_waits_for_a_run_is_told_when_control_ends(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    database.open_schema(path)
    bells = Bells()
    async with Readers(path) as readers, Writer(path) as writer:
        scheduler = Scheduler(writer, bells, Terms(10, 1000, b"k" * 32), 2, get("test"))
        worker = Worker("a", "a1", "", "", 4, ("builtin",), b"", 0, 1, draining=False, active_runs=0)
        await Fleet(readers, writer, bells, Desk(Relays(bells), b""), 10, 2).register(worker)
        waiting = asyncio.create_task(scheduler.claim("a", "a1", 60))
        await asyncio.sleep(0)
        bells.close()
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="ending"):
                await waiting
