"""Room in SQLite's write-ahead log, made before it is needed.

A commit that makes a file longer waits for the disk twice: for what is written, and for the file's new length. Where
the log is as long as it will be already, a commit takes half the time (120 and 240 microseconds were measured). What is
put there is zeros, which are no frames of the log: SQLite's checksums end it where the last commit ended.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from router.store.database import LOG_PAGES

_FRAME_BYTES = 4096 + 24
_STEP_BYTES = 1 << 20
SIZE = LOG_PAGES * _FRAME_BYTES + _STEP_BYTES
"""How long the log is made: as it grows, and a transaction more."""


def fill(path: Path, connection: sqlite3.Connection) -> None:
    """Make the log of the database at a path SIZE long, a piece at a time, each while nobody writes.

    Does what it can: where the disk is full or others write all the time, the log stays shorter and commits slower.
    """
    with suppress(OSError, sqlite3.Error), path.with_name(f"{path.name}-wal").open("r+b", buffering=0) as log:
        connection.execute("PRAGMA busy_timeout = 1000")
        while _longer(connection, log.fileno()):
            os.fdatasync(log.fileno())
    connection.execute("PRAGMA busy_timeout = 0")


def _longer(connection: sqlite3.Connection, log: int) -> bool:
    """Write the next piece; says whether there was one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        end = os.fstat(log).st_size
        if end >= SIZE:
            return False
        os.pwrite(log, bytes(min(_STEP_BYTES, SIZE - end)), end)
    finally:
        connection.execute("ROLLBACK")
    return True
