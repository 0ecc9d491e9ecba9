"""How many events control stores and acknowledges, through its door, against bare SQLite in the same run."""

from __future__ import annotations  # the typed stubs exist for type checkers only

import asyncio
import sqlite3
import tempfile
import time
import uuid
from pathlib import Path

from benchmark.fleet import Fleet
from benchmark.report import Row
from signet.client import AsyncSignet
from signet.kit import dial, names
from signet.kit.home import Home
from signet.kit.times import now_micros, stamp
from signet.v1 import events_pb2
from signet.work.v1 import work_pb2, work_pb2_grpc

RUNS = 4
BATCH = 256
BATCHES = 50
WORKER = "workers/bench"
TEXT = "a few words, as a model says them in one batch of some tens of milliseconds"
REFERENCE = "bare SQLite, one writer, a commit per batch"


async def rows(running: Fleet) -> list[Row]:
    """Take `events_per_second`: runs that append batches side by side, each awaited before its next."""
    home = Home(running.data)
    token = (home.tokens / "worker").read_text().strip()
    async with (
        AsyncSignet(data=str(running.data)) as signet,
        dial.channel(home.target("control.sock"), token) as channel,
    ):
        work: work_pb2_grpc.WorkServiceAsyncStub = work_pb2_grpc.WorkServiceStub(channel)
        await signet.workers.drain(await _only_worker(signet))
        assignments = await _claimed(signet, work)
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for assignment in assignments:
                group.create_task(_append(work, assignment))
        rate = RUNS * BATCH * BATCHES / (time.perf_counter() - start)
        await _finish(work, assignments)
    count = RUNS * BATCH * BATCHES
    return [
        Row(
            "events_per_second", "1/s", count, value=rate, reference=REFERENCE, ratio=rate / _bare(), goal=20_000,
            note=f"{RUNS} runs at once, {BATCH} events a batch, each batch on disk before its answer",
        )
    ]  # fmt: skip


async def _only_worker(signet: AsyncSignet) -> str:
    async for worker in signet.workers.list():
        return worker.name
    raise RuntimeError("the fleet has no worker")


async def _claimed(signet: AsyncSignet, work: work_pb2_grpc.WorkServiceAsyncStub) -> list[work_pb2.Assignment]:
    incarnation = str(uuid.uuid4())
    await work.RegisterWorker(
        work_pb2.RegisterWorkerRequest(
            worker=WORKER, incarnation=incarnation, host="benchmark", version="0", capacity=RUNS, runtimes=["builtin"]
        )
    )
    found = []
    for _ in range(RUNS):
        await signet.runs.create(agent="bench", input="count", request_id=names.uuid7())
        answer = await work.ClaimRun(
            work_pb2.ClaimRunRequest(worker=WORKER, incarnation=incarnation, wait_seconds=10), timeout=20
        )
        found.append(answer.assignment)
    return found


async def _append(work: work_pb2_grpc.WorkServiceAsyncStub, assignment: work_pb2.Assignment) -> None:
    sequence = assignment.next_sequence
    for _ in range(BATCHES):
        events = [
            events_pb2.RunEvent(
                run=assignment.run.name,
                sequence=sequence + index,
                time=stamp(now_micros()),
                text=events_pb2.TextDelta(text=TEXT),
            )
            for index in range(BATCH)
        ]
        await work.AppendEvents(work_pb2.AppendEventsRequest(lease=assignment.lease, events=events), timeout=30)
        sequence += BATCH


async def _finish(work: work_pb2_grpc.WorkServiceAsyncStub, assignments: list[work_pb2.Assignment]) -> None:
    for assignment in assignments:
        await work.FinishRun(
            work_pb2.FinishRunRequest(lease=assignment.lease, outcome="RUN_STATE_SUCCEEDED"), timeout=30
        )


def _bare() -> float:
    """Write the same rows with the standard library's sqlite3 and nothing else."""
    event = events_pb2.RunEvent(run=f"runs/{names.uuid7()}", text=events_pb2.TextDelta(text=TEXT)).SerializeToString()
    with tempfile.TemporaryDirectory(prefix="signet-bench-") as folder:
        database = sqlite3.connect(Path(folder, "events.db"), isolation_level=None)
        database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE events (run TEXT, sequence INTEGER, payload BLOB, PRIMARY KEY (run, sequence)) WITHOUT ROWID"
        )
        start = time.perf_counter()
        for run in range(RUNS):
            for batch in range(BATCHES):
                database.execute("BEGIN IMMEDIATE")
                database.executemany(
                    "INSERT INTO events VALUES (?, ?, ?)",
                    [(str(run), batch * BATCH + index, event) for index in range(BATCH)],
                )
                database.execute("COMMIT")
        rate = RUNS * BATCH * BATCHES / (time.perf_counter() - start)
        database.close()
    return rate
