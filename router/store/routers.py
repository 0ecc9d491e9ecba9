"""The routers that share a PostgreSQL, what they changed, and by which keys: its statements."""

from router.store.postgres import NOW, Connection

_JOIN = f"INSERT INTO routers (id, name, start_micros, beat_micros) VALUES ($1, $2, {NOW}, {NOW})"  # noqa: S608 - our own names
_BEAT = f"UPDATE routers SET beat_micros = {NOW} WHERE id = $1 RETURNING beat_micros"  # noqa: S608 - our own names
_SILENT = "SELECT id, beat_micros FROM routers WHERE beat_micros < $1"
_NAMED = f"SELECT name, {NOW} - beat_micros FROM routers ORDER BY name"  # noqa: S608 - our own names
_REVISIONS = "SELECT topic, revision FROM changes"
_KEEP = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_REPLACE = "UPDATE settings SET value = $2 WHERE name = $1"
_KEPT = "SELECT value FROM settings WHERE name = $1"
_SEALED = """SELECT sealed_key FROM providers WHERE sealed_key IS NOT NULL
UNION ALL SELECT sealed_value FROM secrets"""


async def join(connection: Connection, router: str, name: str) -> None:
    """Take a place among the others; `name` is for people."""
    await connection.execute(_JOIN, router, name)


async def begin_beating(connection: Connection) -> None:
    """Make signs of life cheap: none need outlive anything."""
    await connection.execute("SET synchronous_commit = off")


async def beat(connection: Connection, router: str) -> int | None:
    """Give a sign of life, and its time; None where others took this router for dead."""
    given: int | None = await connection.fetchval(_BEAT, router)
    return given


async def silent(connection: Connection, micros: int) -> list[tuple[str, int]]:
    """Give the routers that gave no sign since a time, each with its last."""
    return [(row[0], row[1]) for row in await connection.fetch(_SILENT, micros)]


async def named(connection: Connection) -> list[tuple[str, int]]:
    """Give the names of all, and how long ago each gave a sign, in microseconds."""
    return [(row[0], row[1]) for row in await connection.fetch(_NAMED)]


async def running(connection: Connection) -> int:
    """Give how many calls run, at all routers together."""
    return int(await connection.fetchval("SELECT count(*) FROM reservations"))


async def any_there(connection: Connection) -> bool:
    """Whether there is any router."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM routers)"))


async def revisions(connection: Connection) -> dict[str, int]:
    """Give how often each table was changed that holds what was set up."""
    return {row[0]: row[1] for row in await connection.fetch(_REVISIONS)}


async def kept(connection: Connection, name: str) -> str | None:
    """Give a setting."""
    value: str | None = await connection.fetchval(_KEPT, name)
    return value


async def keep_first(connection: Connection, name: str, value: str) -> str:
    """Store a setting unless it is there; gives what is there."""
    await connection.execute(_KEEP, name, value)
    return str(await connection.fetchval(_KEPT, name))


async def replace(connection: Connection, name: str, value: str) -> None:
    """Store another value of a setting."""
    await connection.execute(_REPLACE, name, value)


async def sealed(connection: Connection) -> list[bytes]:
    """Give every sealed value."""
    return [bytes(row[0]) for row in await connection.fetch(_SEALED)]
