"""Readers: connections of their own, so that whoever reads never waits for the writer, nor the writer for them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import sqlalchemy as sa

from control.store import database

T = TypeVar("T")


class Readers:
    """A few threads with a read-only connection each; a read sees one moment of the database throughout."""

    def __init__(self, path: Path, threads: int = 4) -> None:
        self._engine = database.engine(path, writable=False)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._local = threading.local()
        self._open: list[sa.Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        for connection in self._open:
            connection.close()
        self._engine.dispose()

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run a query on a reader's thread. Raises Unavailable when the store does not work."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, query)

    def _run(self, query: Callable[[sa.Connection], T]) -> T:
        try:
            connection = self._connection()
            raw = database.driver(connection)
            raw.execute("BEGIN")
            try:
                return query(connection)
            finally:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
        except Exception as error:
            known = database.explain(error)
            if known is error:
                raise
            raise known from error

    def _connection(self) -> sa.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._engine.connect()
            self._open.append(self._local.connection)
        connection: sa.Connection = self._local.connection
        return connection
