"""What an answer cost is on disk before its last byte is sent, or the caller is told that it is not."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from router.store.database import NewerSchema, open_database, store_error
from signet.kit.errors import from_rpc
from signet.kit.lifecycle import StartError
from tests.fakes.provider import FakeProvider, Reply
from tests.unit.router.rig import OPERATOR, Rig, add, bearer, code, events, rig


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home", fake) as started:
        yield started


@contextlib.contextmanager
def database(running: Rig) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(running.home.router / "router.db", isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("stream", [False, True])
async def test_no_answer_ends_before_its_row_is_on_disk(running: Rig, fake: FakeProvider, *, stream: bool) -> None:
    fake.queue(Reply("a b", delay_seconds=0.1))
    got = bytearray()

    async def ask() -> None:
        body = {"model": "fake/fake-small", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        async with running.door.stream("POST", "/v1/chat/completions", json=body, headers=bearer(OPERATOR)) as answer:
            async for piece in answer.aiter_bytes():
                got.extend(piece)

    call = asyncio.create_task(ask())
    await fake.was_asked()
    with database(running) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write now
        await asyncio.wait([call], timeout=1.5)
        assert not call.done()
        assert b"[DONE]" not in got
        assert stream == (b'"content":"b"' in got)  # the words themselves are not held back
        assert other.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        other.execute("ROLLBACK")
        await call
        assert other.execute("SELECT count(*) FROM calls").fetchone() == (1,)
    assert b"[DONE]" in got if stream else b'"usage"' in got


async def test_no_call_is_sent_that_cannot_be_reserved(running: Rig, fake: FakeProvider) -> None:
    with database(running) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = await running.chat()
        other.execute("ROLLBACK")
        assert code(refused) == (503, "ledger_unavailable")
        other.execute("ALTER TABLE reservations RENAME TO gone")
        assert code(await running.chat()) == (503, "ledger_unavailable")
        other.execute("ALTER TABLE gone RENAME TO reservations")
        assert fake.asked == []
        assert (await running.chat()).status_code == 200
        assert other.execute("SELECT count(*) FROM reservations").fetchone() == (0,)


async def test_what_could_not_be_written_is_written_when_it_can(running: Rig) -> None:
    with database(running) as other:
        other.execute("ALTER TABLE calls RENAME TO gone")
        assert code(await running.chat()) == (503, "ledger_unavailable")
        assert other.execute("SELECT count(*) FROM reservations").fetchone() == (1,)
        other.execute("ALTER TABLE gone RENAME TO calls")
        async with asyncio.timeout(20):
            while other.execute("SELECT count(*) FROM reservations").fetchone() != (0,):  # noqa: ASYNC110 - another's
                await asyncio.sleep(0.05)
        assert other.execute("SELECT outcome FROM calls").fetchall() == [("answered",)]


async def test_a_ledger_that_cannot_be_written_is_told(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply("a"), Reply("a"))
    with database(running) as other:
        other.execute("ALTER TABLE calls RENAME TO gone")
        whole = await running.chat()
        assert code(whole) == (503, "ledger_unavailable")
        streamed = await running.chat(stream=True)
        assert events(streamed.text)[-1]["error"]["code"] == "ledger_unavailable"
        assert "[DONE]" not in streamed.text
        other.execute("ALTER TABLE gone RENAME TO calls")
    assert (await running.chat()).status_code == 200


async def test_a_provider_that_cannot_be_stored_is_told_and_not_kept(running: Rig, fake: FakeProvider) -> None:
    with database(running) as other:
        other.execute("ALTER TABLE providers RENAME TO gone")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await add(running, fake, "other")
        assert from_rpc(caught.value).reason == "STORE_UNAVAILABLE"
        other.execute("ALTER TABLE gone RENAME TO providers")
    assert [provider.spec.id for provider in running.app.fleet.providers()] == ["fake"]
    await add(running, fake, "other")


def test_a_full_disk_is_called_that() -> None:
    assert store_error("database or disk is full").reason == "DISK_FULL"
    assert store_error("disk I/O error").reason == "STORE_UNAVAILABLE"


def test_a_database_is_made_private_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    open_database(path)
    assert path.stat().st_mode & 0o077 == 0
    open_database(path)


def test_a_damaged_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StartError, match="restore it from a backup"):
        open_database(path)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.commit()
    with pytest.raises(NewerSchema, match="upgrade Signet"):
        open_database(path)


async def test_calls_from_before_budgets_are_kept(tmp_path: Path, fake: FakeProvider) -> None:
    from router.store.ledger import Filter
    from router.store.migrate import migrate
    from signet.kit.home import Home

    home = Home(tmp_path / "home")
    home.prepare()
    migrate(home.router / "router.db", "0002")
    with contextlib.closing(sqlite3.connect(home.router / "router.db")) as old:
        old.execute(
            "INSERT INTO calls VALUES ('old', 1, 'tokens/t', '', '', '', 'm', 'p', 1, 2, 0, 0, 5, 0, 'answered', 9)"
        )
        old.commit()
    async with rig(tmp_path / "home", fake) as running:
        await running.chat()
        (new, kept) = await running.app.ledger.rows(Filter(), after=None, limit=10)
        assert new.upstream_model == "fake-small"
        assert (kept.id, kept.cost_microusd, kept.upstream_model, kept.attempts) == ("old", 5, "", 1)


async def test_the_migrations_make_what_the_code_expects(tmp_path: Path) -> None:
    from sqlalchemy import create_engine, inspect

    from router.store.schema import HEAD, metadata

    path = tmp_path / "router.db"
    await open_database(path).dispose()
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    for table in metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())
        assert {index["name"] for index in found.get_indexes(table.name)} == {index.name for index in table.indexes}
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == HEAD
    engine.dispose()
