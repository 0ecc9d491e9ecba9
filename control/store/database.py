"""The database file: how it is opened, which version it is of, and what its faults mean to a caller."""

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from control.store.schema import REVISIONS, metadata
from signet.kit.errors import ResourceExhausted, SignetError, Unavailable
from signet.kit.lifecycle import StartError

Connection = sa.Connection
"""What the store's functions take; a transaction on it is the caller's."""

_FULL_HINT = "free space on the disk of the data folder; control goes on by itself"
_DISK_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
_BUSY_MILLISECONDS = 5000


class SchemaError(Exception):
    """Raised for a database that a newer Signet wrote. No StartError: it has an exit code of its own."""


def engine(path: Path, *, writable: bool) -> sa.Engine:
    """Give an engine whose transactions are begun by hand.

    An acknowledged commit is on disk: synchronous=FULL, which group commit makes affordable.
    """
    made = sa.create_engine(
        f"sqlite:///{path}",
        isolation_level="AUTOCOMMIT",
        poolclass=sa.pool.NullPool,
        connect_args={"check_same_thread": False},  # closed by whoever ends the thread that used it
    )

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "journal_size_limit = 67108864",
            f"query_only = {'OFF' if writable else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(made, "connect", prepare)
    return made


def driver(connection: sa.Connection) -> sqlite3.Connection:
    """Give the connection below a Core connection, for transactions."""
    found: Any = connection.connection.driver_connection
    if not isinstance(found, sqlite3.Connection):
        raise TypeError(found)
    return found


def open_schema(path: Path) -> None:
    """Bring the database to this version: make it, migrate it, or leave it as it is.

    Alembic is loaded for a migration only. Raises SchemaError for a newer version, StartError for what is no database.
    """
    target = engine(path, writable=True)
    try:
        with target.connect() as connection:
            found = _version(connection)
            if found == REVISIONS[-1]:
                return
            if found is None:
                _create(connection)
                return
            if found not in REVISIONS:
                raise SchemaError(
                    f"{path} has schema version {found}, and this Signet knows up to {REVISIONS[-1]}: "
                    "upgrade Signet, or choose another folder with --data"
                )
    except sa.exc.DatabaseError as error:
        raise StartError(f"{path} cannot be opened: {error.orig}. Restore it from a backup") from error
    finally:
        target.dispose()
    from control.store.migrations.upgrade import upgrade

    upgrade(path)


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _create(connection: sa.Connection) -> None:
    """Make a new database at once; a test holds it to what the migrations make."""
    raw = driver(connection)
    raw.execute("BEGIN IMMEDIATE")
    metadata.create_all(connection)
    connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": REVISIONS[-1]})
    raw.execute("COMMIT")


def explain(error: BaseException) -> BaseException:
    """Turn a fault of the database into what a caller can act on; other errors stay as they are."""
    fault = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(fault, sqlite3.Error) or isinstance(fault, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error
    if getattr(fault, "sqlite_errorcode", 0) in _DISK_FULL:
        return disk_full()
    return Unavailable("STORE_UNAVAILABLE", f"the store does not work: {fault}", hint="signet doctor")


def disk_full() -> SignetError:
    """Say that the disk is full."""
    return ResourceExhausted("DISK_FULL", "the disk is full: nothing of this was stored", hint=_FULL_HINT)
