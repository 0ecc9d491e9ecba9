"""A PostgreSQL that several routers share: how it is reached, what it must be, and how it is brought up to date."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from router.address import Address
from router.store.database import NewerSchema
from router.store.schema import HEAD, KNOWN, OWN, metadata
from signet.kit.lifecycle import StartError

CHANGED = "signet_changed"
"""The channel on which PostgreSQL tells of changes; what it carries is the topic."""

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""The database's time in microseconds, as its statements write it."""

OLDEST = 14
"""The oldest major version that does."""

_CONNECT_SECONDS = 3.0
_COMMAND_SECONDS = 5.0
_MIGRATE_SECONDS = 300.0
_MIGRATING = 0x5369676E657401
_CONNECTIONS = 4
_MORE_CONNECTIONS = 4
_PATIENCE = {
    "lock_timeout": "4000",
    "statement_timeout": "5000",
    # A router that stops in the middle of a transaction must not keep what it has locked from the others.
    "idle_in_transaction_session_timeout": "5000",
}


class Connection(Protocol):
    """What is used of an asyncpg connection. Each raises asyncpg.PostgresError, asyncpg.InterfaceError, OSError."""

    async def execute(self, query: str, *given: Any) -> str:
        """Do a statement, or several that are given nothing."""

    async def executemany(self, query: str, given: Iterable[Iterable[Any]]) -> None:
        """Do a statement often, all of it or nothing."""

    async def fetch(self, query: str, *given: Any) -> "list[Record]":
        """Give all rows."""

    async def fetchrow(self, query: str, *given: Any) -> "Record | None":
        """Give the first row."""

    async def fetchval(self, query: str, *given: Any) -> Any:
        """Give its first column; None for no row."""

    async def add_listener(self, channel: str, told: Any) -> None:
        """Have a function told of what is notified."""

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - asyncpg's
        """Hang up in order."""

    def terminate(self) -> None:
        """Hang up at once."""

    def is_closed(self) -> bool:
        """Whether either side hung up."""

    def get_server_version(self) -> Any:
        """Give the server's version, `major` and more."""


class Record(Protocol):
    """A row: by number and by name."""

    def __getitem__(self, key: int | str) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


async def connect(address: Address, name: str, *, patient: bool = False) -> Connection:
    """Open a connection. Raises OSError, whatever it is that keeps it from opening; the message holds no password.

    A statement takes at most 5 seconds, or, on a `patient` one, 5 minutes; a commit returns when it is durable.
    """
    import asyncpg

    settings = {"application_name": name, "synchronous_commit": "on", **({} if patient else _PATIENCE)}
    try:
        connection: Connection = await asyncpg.connect(
            address.url,
            password=address.password or None,
            timeout=_CONNECT_SECONDS,
            command_timeout=_MIGRATE_SECONDS if patient else _COMMAND_SECONDS,
            server_settings=settings,
        )
        return connection
    except OSError as error:
        raise ConnectionError(error.strerror or str(error) or "it does not answer") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise ConnectionError(str(error).splitlines()[0] if str(error) else type(error).__name__) from None


async def open_shared(address: Address, come: Callable[[Connection], Awaitable[None]]) -> AsyncEngine:
    """Open the database, made or migrated first where needed; then `come`, all by one router at a time.

    Raises NewerSchema, and StartError for a server that cannot be reached or used.
    """
    try:
        import asyncpg
    except ImportError as error:
        message = "router.database needs asyncpg, which is not installed: pip install 'signet[postgres]'"
        raise StartError(message) from error

    try:
        async with _alone(address) as connection:
            await _prepare(address, connection)
            await come(connection)
    except OSError as error:
        raise StartError(f"{address} cannot be reached ({error}): see router.database and docs/replicas.md") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartError(f"{address} cannot be used ({error}): see docs/replicas.md") from error
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(address, "signet router"),
        pool_size=_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
        pool_timeout=_COMMAND_SECONDS,
        pool_pre_ping=True,
    )


@asynccontextmanager
async def _alone(address: Address) -> AsyncIterator[Connection]:
    """Connect to a server that will do, and wait for one's turn to change the schema."""
    connection = await connect(address, "signet router starts", patient=True)
    try:
        await check(address, connection)
        await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATING)
        yield connection
    finally:
        await connection.close(timeout=_COMMAND_SECONDS)


async def check(address: Address, connection: Connection) -> None:
    """See that the server will do. Raises StartError."""
    version = connection.get_server_version()
    if version.major < OLDEST:
        raise StartError(f"{address} is PostgreSQL {version.major}: {OLDEST} or newer is needed")
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise StartError(f"{address} is a standby, which cannot be written: name the primary in router.database")


async def written(address: Address, connection: Connection) -> bool:
    """Whether the database is as this code writes it. Raises NewerSchema."""
    found = None
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    if found is not None and found not in KNOWN:
        raise NewerSchema(
            f"{address} was written by a newer Signet (schema {found}, this one knows {HEAD}): upgrade Signet"
        )
    return bool(found == HEAD)


async def _prepare(address: Address, connection: Connection) -> None:
    if not await written(address, connection):
        await _migrate(address)
    await _watch(connection, {table: _columns(table) for table in metadata.tables if table not in OWN})


async def _migrate(address: Address) -> None:
    from router.store.migrate import upgrade

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(address, "signet router migrates", patient=True),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


async def _watch(connection: Connection, tables: dict[str, Iterable[str]]) -> None:
    """See that each change of these tables is counted in `changes` and told on the channel, whoever makes it."""
    query = "SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE tgname = $1"
    watched = {row[0] for row in await connection.fetch(query, CHANGED)}
    if missing := [table for table in tables if table not in watched]:
        await connection.execute(_TELL)
        for table in missing:
            columns = ", ".join(f'"{column}"' for column in tables[table])
            await connection.execute(
                f"CREATE TRIGGER {CHANGED} AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {CHANGED}()"
            )


def _columns(table: str) -> list[str]:
    """Give the columns that make a difference to who uses a table's rows: not when that was last done."""
    return [column.name for column in metadata.tables[table].columns if column.name != "use_micros"]


_TELL = f"""
CREATE OR REPLACE FUNCTION {CHANGED}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO changes (topic, revision) VALUES (TG_TABLE_NAME, 1)
  ON CONFLICT (topic) DO UPDATE SET revision = changes.revision + 1;
  PERFORM pg_notify('{CHANGED}', TG_TABLE_NAME);
  RETURN NULL;
END $$"""  # noqa: S608 - our own names


async def hang_up(connection: Connection) -> None:
    """Close a connection in order, within a moment."""
    try:
        await connection.close(timeout=1)
    except (TimeoutError, OSError):
        connection.terminate()
