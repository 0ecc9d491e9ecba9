"""A lone call's group is written at once, one among others by the thread; nobody is held up, and nothing is lost."""

import asyncio
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from router.store.database import Writer, open_database
from router.store.filling import SIZE, fill
from router.store.journal import Entry, Kind, Unwritable
from router.store.local import LocalBackend


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Give a router's database with a table for the tests."""
    found = tmp_path / "router.db"
    engine = open_database(found)
    await engine.dispose()
    with closing(sqlite3.connect(found)) as connection:
        connection.execute("CREATE TABLE noted (word TEXT)")
        connection.commit()
    return found


def note(word: str) -> Entry:
    """Make a work that writes a word, and gives the name of the thread that did."""

    def work(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO noted VALUES (?)", (word,))
        return threading.current_thread().name

    return Entry(Kind.WORK, work=work)


def words(path: Path) -> list[str]:
    """Read what is kept, by another connection."""
    with closing(sqlite3.connect(path)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM noted ORDER BY rowid")]


async def test_a_lone_call_is_written_at_once_and_others_by_the_thread(path: Path) -> None:
    alone = True
    backend = LocalBackend(Writer(path), lambda: alone)
    assert await backend.write([note("a")]) == threading.current_thread().name
    assert words(path) == ["a"]

    alone = False
    assert await backend.write([note("b")]) == "journal"
    assert words(path) == ["a", "b"]
    await backend.aclose()


async def test_who_writes_meanwhile_is_waited_for_without_holding_up_anybody(path: Path) -> None:
    backend = LocalBackend(Writer(path), lambda: True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(backend.write([note("mine")]))
        await asyncio.sleep(0.05)  # the loop goes on: this very test is what has to end the other's transaction
        assert not writing.done()
        other.execute("INSERT INTO noted VALUES ('theirs')")
        other.execute("COMMIT")

    assert await writing == "journal"
    assert words(path) == ["theirs", "mine"]
    await backend.aclose()


async def test_after_a_slow_write_the_thread_takes_over_for_a_while(path: Path) -> None:
    backend = LocalBackend(Writer(path), lambda: True)

    def slow(_: sqlite3.Connection) -> str:
        done = threading.Event()
        done.wait(0.02)
        return threading.current_thread().name

    assert await backend.write([Entry(Kind.WORK, work=slow)]) != "journal"
    by = [await backend.write([note(str(number))]) for number in range(65)]
    assert by[:64] == ["journal"] * 64
    assert by[64] != "journal"
    await backend.aclose()


async def test_what_cannot_be_written_at_once_is_told_as_the_thread_tells_it(path: Path) -> None:
    backend = LocalBackend(Writer(path), lambda: True)

    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(Unwritable, match="nowhere"):
        await backend.write([Entry(Kind.WORK, work=wrong)])
    assert await backend.write([note("next")])
    await backend.aclose()


async def test_a_log_made_longer_keeps_what_was_committed_over_a_crash(path: Path, tmp_path: Path) -> None:
    writer = Writer(path)
    insert = note("before").work
    assert insert is not None
    writer.transact(insert)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        fill(path, other)
    log = path.with_name("router.db-wal")
    assert log.stat().st_size == SIZE
    after = note("after").work
    assert after is not None
    writer.transact(after)
    assert log.stat().st_size == SIZE

    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("router.db", "router.db-wal"):  # as they lie on disk now; the index of the log is made anew
        shutil.copy(path.with_name(name), crashed / name)
    assert words(crashed / "router.db") == ["before", "after"]
    writer.close()


async def test_a_log_is_made_longer_while_others_commit(path: Path) -> None:
    writer = Writer(path)

    def commit() -> None:
        for number in range(300):
            work = note(str(number)).work
            assert work is not None
            writer.transact(work)

    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        await asyncio.gather(asyncio.to_thread(commit), asyncio.to_thread(fill, path, other))

    assert words(path) == [str(number) for number in range(300)]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    writer.close()


async def test_where_there_is_no_log_nothing_is_made(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        fill(path.with_name("other.db"), other)

    assert not path.with_name("other.db-wal").exists()
