"""The writer: what it acknowledged is on disk, one bad change spoils no other, and nothing half-made is seen."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from control.store import database
from control.store.readers import Readers
from control.store.schema import codes
from control.store.writer import Transaction, Writer
from signet.kit.errors import NotFound, ResourceExhausted, Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    database.open_schema(tmp_path / "control.db")
    return tmp_path / "control.db"


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    async with Writer(path) as opened:
        yield opened


def insert(name: str, then: Callable[[Transaction], None] | None = None) -> Callable[[Transaction], str]:
    def change(transaction: Transaction) -> str:
        transaction.connection.execute(sa.insert(codes), {"hash": name, "expire_time": transaction.now})
        if then:
            then(transaction)
        return name

    return change


def stored(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        found = {row[0] for row in connection.execute("SELECT hash FROM codes")}
    connection.close()
    return found


def fail(_transaction: Transaction) -> None:
    raise NotFound("RUN_NOT_FOUND", "it is not there")


async def test_what_was_acknowledged_is_in_the_file(writer: Writer, path: Path) -> None:
    names = [f"name {number}" for number in range(500)]
    assert await asyncio.gather(*(writer.write(insert(name)) for name in names)) == names
    assert stored(path) == set(names)


async def test_a_change_that_fails_leaves_nothing_and_its_group_whole(writer: Writer, path: Path) -> None:
    changes = [writer.write(insert(str(number), fail if number % 3 == 0 else None)) for number in range(60)]
    results = await asyncio.gather(*changes, return_exceptions=True)
    assert all(isinstance(result, NotFound) == (number % 3 == 0) for number, result in enumerate(results))
    assert stored(path) == {str(number) for number in range(60) if number % 3}


async def test_the_same_twice_in_one_group_fails_alone(writer: Writer, path: Path) -> None:
    results = await asyncio.gather(*(writer.write(insert("same")) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, sa.exc.IntegrityError) for result in results) == 4
    assert stored(path) == {"same"}


async def test_calls_wait_for_the_disk_and_are_dropped_with_what_failed(writer: Writer, path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def note(name: str) -> Callable[[Transaction], None]:
        def ring(transaction: Transaction) -> None:
            transaction.after(lambda: seen.append((name, name in stored(path))))

        return ring

    def note_and_fail(transaction: Transaction) -> None:
        note("bad")(transaction)
        fail(transaction)

    await asyncio.gather(
        writer.write(insert("good", note("good"))),
        writer.write(insert("bad", note_and_fail)),
        return_exceptions=True,
    )
    assert seen == [("good", True)]


async def test_calls_are_made_though_the_caller_left(writer: Writer, path: Path) -> None:
    """A client that hangs up in the commit must not leave the others asleep."""
    rung = asyncio.Event()
    task = asyncio.create_task(writer.write(insert("left", lambda transaction: transaction.after(rung.set))))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(10):
        await rung.wait()
    assert stored(path) == {"left"}


async def test_a_full_database_refuses_whole_groups_and_recovers(writer: Writer, path: Path) -> None:
    def limit(pages: int) -> Callable[[Transaction], None]:
        def change(transaction: Transaction) -> None:
            transaction.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        return change

    await writer.write(insert("before"))
    await writer.write(limit(1))  # no page beyond those it has
    large = [insert(f"{number} " + "x" * 100_000) for number in range(20)]
    results = await asyncio.gather(*(writer.write(change) for change in large), return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) >= 15
    assert all(isinstance(result, ResourceExhausted) and result.reason == "DISK_FULL" for result in refused)
    assert stored(path) == {"before", *(result for result in results if isinstance(result, str))}
    await writer.write(limit(1_000_000))
    await writer.write(insert("after"))
    assert "after" in stored(path)


async def test_leaving_writes_what_waits_and_takes_nothing_new(path: Path) -> None:
    async with Writer(path) as writer:
        waiting = [asyncio.create_task(writer.write(insert(str(number)))) for number in range(300)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*waiting)) == 300
    assert len(stored(path)) == 300
    with pytest.raises(Unavailable, match="ending"):
        await writer.write(insert("late"))


async def test_readers_see_one_moment_and_never_write(writer: Writer, path: Path) -> None:
    await writer.write(insert("one"))
    async with Readers(path) as readers:
        begun, go_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(connection: sa.Connection) -> tuple[int, int]:
            count = sa.select(sa.func.count()).select_from(codes)
            first = connection.execute(count).scalar_one()
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
            return first, connection.execute(count).scalar_one()

        reading = asyncio.create_task(readers.read(slow))
        await begun.wait()
        await writer.write(insert("two"))  # the reader does not hold the writer up
        go_on.set()
        assert await reading == (1, 1)
        with pytest.raises(Unavailable):
            await readers.read(lambda connection: connection.execute(sa.insert(codes), {"hash": "x", "expire_time": 1}))
