"""Control as a process: what it acknowledged outlives a kill, what keeps it from starting is said, it ends if told."""

import asyncio
import contextlib
import hashlib
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from control.store.schema import REVISIONS
from signet.kit import dial
from signet.kit.errors import from_rpc
from signet.kit.home import Home
from signet.v1 import events_pb2, runs_pb2, workers_pb2
from signet.work.v1 import work_pb2
from tests.fakes import models
from tests.integration.control.fleet import WORKER, Fleet, dialled, event, eventually, refused, texts
from tests.integration.control.process import start


async def test_no_acknowledged_event_is_lost_when_control_is_killed_in_the_middle(tmp_path: Path) -> None:
    """Killed five times while four runs append as fast as they can; every acknowledged sequence is there afterwards."""
    root = tmp_path / "home"
    home = Home(root)
    home.prepare()
    acknowledged: dict[str, int] = {}
    claims: list[work_pb2.Assignment] = []
    async with models.serving(home.socket("router.sock")) as router:
        for round_ in range(5):
            control = await start(root, "port=0", "lease_seconds=600")
            assert control.ready, await control.errors()
            async with dialled(home) as (operator, worker):
                fleet = Fleet(home, operator, worker, router, asyncio.Event())
                if not claims:
                    await fleet.register()
                    claims = [await fleet.taken() for _ in range(4)]
                appending = [asyncio.create_task(_append(fleet, claim, acknowledged)) for claim in claims]
                await asyncio.sleep(0.25 + 0.05 * round_)
                await control.kill()
                await asyncio.gather(*appending)
        control = await start(root, "port=0")
        async with dialled(home) as (operator, worker):
            fleet = Fleet(home, operator, worker, router, asyncio.Event())
            for claim in claims:
                events = await fleet.events(claim.run.name, replay_only=True)
                sequences = [found.sequence for found in events]
                assert sequences == list(range(1, len(sequences) + 1))
                assert len(sequences) >= acknowledged[claim.run.name] > claim.next_sequence
                run = await fleet.get(claim.run.name)
                assert run.last_sequence == len(sequences)
                assert (await fleet.finish(claim.lease)).record_digest
        assert await control.end() == 0


async def _append(fleet: Fleet, claim: work_pb2.Assignment, acknowledged: dict[str, int]) -> None:
    """Append until control is gone, going on after what was acknowledged; note every acknowledgement."""
    sequence = acknowledged.get(claim.run.name, claim.next_sequence - 1) + 1
    try:
        while True:
            last = await fleet.append(claim.lease, texts(sequence, 50))
            acknowledged[claim.run.name] = last
            sequence = last + 1
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise


async def test_an_acknowledged_run_is_there_after_a_kill_and_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "home"
    home = Home(root)
    home.prepare()
    async with models.serving(home.socket("router.sock")) as router:
        control = await start(root, "port=0")
        async with dialled(home) as (operator, worker):
            fleet = Fleet(home, operator, worker, router, asyncio.Event())
            await fleet.register()
            claim = await fleet.taken()
            waiting = await fleet.run("and another", request_id="once")
            await control.kill()
        control = await start(root, "port=0")
        async with dialled(home) as (operator, worker):
            fleet = Fleet(home, operator, worker, router, asyncio.Event())
            await fleet.append(claim.lease, texts(claim.next_sequence, 3))
            assert (await fleet.finish(claim.lease)).state == runs_pb2.RUN_STATE_SUCCEEDED
            assert (await fleet.run("and another", request_id="once")).name == waiting.name
            following = await fleet.claim()
            assert following is not None
            assert following.run.name == waiting.name
        assert await control.end() == 0


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a folder with a short name: a unix socket's path below /proc/{pid}/root has to fit."""
    with tempfile.TemporaryDirectory(prefix="sg", dir="/tmp") as folder:
        yield Path(folder)


async def test_a_full_disk_refuses_what_it_cannot_keep_and_control_goes_on_when_there_is_room(short: Path) -> None:
    """A file system of 16 MiB, filled by somebody else: nothing is half-written, reads go on, and it recovers."""
    root = short / "home"
    root.mkdir()
    mount = 'mount -t tmpfs -o size=16m,mode=700 none "$0" && exec "$@"'
    own = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(root))
    control = await start(root, "port=0", prefix=own)
    assert control.ready, await control.errors()
    home = Home(Path(f"/proc/{control.process.pid}/root{root}"))
    async with models.serving(home.socket("router.sock")) as router, dialled(home) as (operator, worker):
        fleet = Fleet(home, operator, worker, router, asyncio.Event())
        await fleet.register()
        claim = await fleet.taken()
        _fill(home.root / "filler")
        last = claim.next_sequence - 1
        refusal = None
        while refusal is None:
            try:
                last = await fleet.append(claim.lease, _large(last + 1))
            except grpc.aio.AioRpcError as error:
                refusal = from_rpc(error)
        assert refusal.reason == "DISK_FULL"
        assert refusal.hint
        body = b"x" * 200_000
        put = work_pb2.PutBlobRequest(digest=hashlib.sha256(body).hexdigest(), chunk=body, lease=claim.lease)
        assert (await refused(fleet.worker.work.PutBlob(iter([put])))).reason == "DISK_FULL"
        assert (await refused(fleet.run())).reason == "DISK_FULL"
        assert len(await fleet.events(claim.run.name, replay_only=True)) == last
        assert (await fleet.get(claim.run.name)).last_sequence == last
        (home.root / "filler").unlink()
        await fleet.append(claim.lease, _large(last + 1))
        assert (await fleet.finish(claim.lease)).last_sequence == last + 2
        assert not list((home.control / "blobs" / "drafts").iterdir())
    assert await control.end() == 0


def _large(sequence: int) -> list[events_pb2.RunEvent]:
    return [event(sequence, text=events_pb2.TextDelta(text="x" * 60_000))]


def _fill(path: Path) -> None:
    """Take all the room that there is."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))


async def test_a_newer_database_is_refused_with_both_versions_and_left_alone(tmp_path: Path) -> None:
    control = await start(tmp_path / "home", "port=0")
    assert await control.end() == 0
    path = tmp_path / "home" / "control" / "control.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '0099'")
        database.commit()
    control = await start(tmp_path / "home", "port=0")
    assert await control.code() == 6
    message = await control.errors()
    assert "0099" in message
    assert REVISIONS[-1] in message
    assert "upgrade Signet" in message


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "control"
    folder.mkdir(parents=True)
    (folder / "control.db").write_bytes(b"this is no database, and long enough to be read as one" * 100)
    control = await start(tmp_path / "home", "port=0")
    assert await control.code() == 1
    message = await control.errors()
    assert "control.db" in message
    assert "Traceback" not in message


async def test_an_occupied_port_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        control = await start(tmp_path / "home", f"port={port}")
        assert await control.code() == 1
        message = await control.errors()
    assert f"127.0.0.1:{port}" in message
    assert "Traceback" not in message


async def test_all_bad_options_are_said_at_once(tmp_path: Path) -> None:
    control = await start(tmp_path / "home", "lease_seconds=1", "max_attempts=99")
    assert await control.code() == 1
    message = await control.errors()
    assert "lease_seconds" in message
    assert "max_attempts" in message


async def test_one_data_folder_has_one_control(tmp_path: Path) -> None:
    first = await start(tmp_path / "home", "port=0")
    second = await start(tmp_path / "home", "port=0")
    assert await second.code() == 1
    assert str(first.process.pid) in await second.errors()
    assert await first.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_at_once_though_many_wait(tmp_path: Path, number: signal.Signals) -> None:
    """Watchers, a claim and a watcher of directives are told, so that nobody waits for a grace period."""
    root = tmp_path / "home"
    home = Home(root)
    home.prepare()
    async with models.serving(home.socket("router.sock")) as router:
        control = await start(root, "port=0")
        async with dialled(home) as (operator, worker):
            fleet = Fleet(home, operator, worker, router, asyncio.Event())
            await fleet.register()
            claim = await fleet.taken()
            watch = fleet.operator.runs.WatchRunEvents(runs_pb2.WatchRunEventsRequest(name=claim.run.name))
            await anext(aiter(watch))
            orders = work_pb2.WatchDirectivesRequest(worker=WORKER, incarnation="first")
            waiting = [
                asyncio.create_task(refused(watch)),
                asyncio.create_task(refused(fleet.worker.work.WatchDirectives(orders))),
                asyncio.create_task(refused(fleet.claim(wait_seconds=60))),
            ]
            await eventually(partial(_seen, fleet))
            assert await control.end(number) == 0
            reasons = {(await task).reason for task in waiting}
    assert reasons <= {"SHUTTING_DOWN", "CONTROL_UNAVAILABLE"}
    assert "SHUTTING_DOWN" in reasons
    assert '"stopped"' in await control.errors()


async def _seen(fleet: Fleet) -> bool:
    worker = (await fleet.operator.workers.GetWorker(workers_pb2.GetWorkerRequest(name=WORKER))).worker
    return bool(worker.active_runs == 1)


async def test_it_is_alive_and_describes_itself_without_a_token(tmp_path: Path) -> None:
    root = tmp_path / "home"
    control = await start(root, "port=0")
    async with dial.channel(Home(root).target("control.sock")) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
        listed = await anext(aiter(stream))
        names = {service.name for service in listed.list_services_response.service}
        assert {"signet.v1.RunService", "signet.work.v1.WorkService"} <= names
        stream.cancel()
    assert await control.end() == 0


async def test_starting_loads_no_alembic(tmp_path: Path) -> None:
    """Start-up is a feature: migrations are loaded when there is something to migrate."""
    code = (
        "import asyncio, sys; from pathlib import Path; from control.app import serve; "
        "from control.options import Options; from signet.kit.home import Home; home = Home(Path(sys.argv[1])); "
        "home.prepare(); stop = asyncio.Event(); stop.set(); asyncio.run(serve(home, Options(port=0), stop)); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} "
        "& {'alembic', 'ray', 'router', 'workers', 'web', 'benchmark', 'httpx', 'starlette', 'uvicorn'}))"
    )
    for _ in range(2):  # a new folder, and one that is there
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(tmp_path / "home"), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert out.decode().strip() == "[]"
