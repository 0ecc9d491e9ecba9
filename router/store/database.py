"""The router's database: its own SQLite file, brought up to date when it is opened, or one that several share."""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.ext.asyncio import AsyncEngine as AsyncEngine  # noqa: PLC0414 - for those who hand it on

from router.store.schema import HEAD, KNOWN
from signet.kit.errors import ResourceExhausted, SignetError, Unavailable
from signet.kit.lifecycle import StartError

BUSY_SECONDS = 5
_AGAIN_SECONDS = 0.002
LOG_PAGES = 4_096

T = TypeVar("T")


class NewerSchema(StartError):
    """Raised for a database that a newer Signet wrote."""


def open_database(path: Path) -> AsyncEngine:
    """Open the database, made or migrated first where needed. Raises NewerSchema, and StartError for a damaged file.

    Writers begin with the lock in hand and are durable when they return; readers use `reading`.
    """
    found = revision(path)
    if found is not None and found not in KNOWN:
        raise NewerSchema(
            f"{path} was written by a newer Signet (schema {found}, this one knows {HEAD}): upgrade Signet, or choose "
            "another data folder with --data"
        )
    if found != HEAD:
        from router.store.migrate import migrate

        migrate(path)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine.sync_engine, "connect", _connected)
    event.listen(engine.sync_engine, "begin", _begun)
    return engine


class Reading:
    """A database for reading: it takes no lock and sees what was committed."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Read over a connection. Raises SignetError where the database does not answer."""
        with _told("read"):
            async with self._engine.connect() as connection:
                yield connection


def reading(engine: AsyncEngine) -> Reading:
    """Give the same database for reading."""
    return Reading(engine)


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Write in one transaction, on disk when the context is left. Raises SignetError where the database cannot."""
    with _told("written"):
        async with engine.begin() as connection:
            yield connection


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (IntegrityError, DataError, ProgrammingError):
        raise  # it is the row that is wrong
    except DBAPIError as error:
        raise store_error(str(error.orig).splitlines()[0], what) from error
    except (OSError, PoolTimeout) as error:
        raise store_error(str(error) or type(error).__name__, what) from error


def store_error(said: str, what: str = "written") -> SignetError:
    """Say what a database that could not be written, or read, means to the caller."""
    if "full" in said or "No space left" in said:
        return ResourceExhausted("DISK_FULL", "the disk with the router's database is full", hint="free some space")
    return Unavailable("STORE_UNAVAILABLE", f"the router's database cannot be {what}: {said}", hint="signet doctor")


class Writer:
    """One connection for rows that come often, used from one thread: no pool, no session, one commit for many rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, timeout=0, check_same_thread=False)  # `transact` waits, or does not
        _connected(self._connection, None)
        # Others bring the log into the database, so that no commit waits for that unless the log grows to 16 MiB.
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")

    def transact(self, work: Callable[[sqlite3.Connection], T], wait_seconds: float = BUSY_SECONDS) -> T:
        """Do work in one transaction, all of it or nothing; on disk when this returns.

        Waits while another connection writes. Raises sqlite3.Error, which `busy` tells from others where it waited in
        vain.
        """
        self._begin(wait_seconds)
        try:
            result = work(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return result

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _begin(self, wait_seconds: float) -> None:
        until = time.monotonic() + wait_seconds
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not busy(error) or time.monotonic() >= until:
                    raise
                time.sleep(_AGAIN_SECONDS)
            else:
                return


def busy(error: Exception) -> bool:
    """Whether a transaction could not begin because another connection writes."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


def _connected(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # `begin` says it, not the driver
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begun(connection: object) -> None:
    options = connection.get_execution_options()  # type: ignore[attr-defined] # sqlalchemy's Connection
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined] # as above


def revision(path: Path) -> str | None:
    """Give the schema's revision; None for no file or an empty one. Raises StartError for a damaged file."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
            if not tables:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
    except sqlite3.DatabaseError as error:
        raise StartError(f"{path} cannot be read ({error}): restore it from a backup, or move it away") from error
