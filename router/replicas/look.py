"""What `signet doctor` says of the router's database, whether or not a router runs."""

from router.address import Address, password_of
from router.options import RouterOptions
from signet.kit.home import Home
from signet.kit.lifecycle import StartError


async def look(home: Home, options: RouterOptions) -> str:
    """Look, change nothing, and say how it stands. Raises StartError with what is wrong."""
    if options.database:
        return await _shared(Address(options.database, password_of(options.database_password_file)), options)
    path = home.router / "router.db"
    if not path.exists():
        return f"SQLite, {path}, made at the start"
    from router.store.database import revision
    from router.store.schema import HEAD, KNOWN

    found = revision(path)
    if found is not None and found not in KNOWN:
        raise StartError(f"{path} was written by a newer Signet (schema {found}, this one knows {HEAD})")
    return f"SQLite, {path}, {path.stat().st_size / (1 << 20):.1f} MiB"


async def _shared(address: Address, options: RouterOptions) -> str:
    try:
        import asyncpg

        from router.store import routers
        from router.store.postgres import check, connect, hang_up, written
    except ImportError as error:
        message = "router.database needs asyncpg, which is not installed: pip install 'signet[postgres]'"
        raise StartError(message) from error
    try:
        connection = await connect(address, "signet doctor")
        try:
            await check(address, connection)
            version = connection.get_server_version()
            if not await written(address, connection):
                return f"{address}, PostgreSQL {version.major}, migrated at the next start"
            found = await routers.named(connection)
            held = await routers.running(connection)
        finally:
            await hang_up(connection)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartError(f"{address} cannot be used ({error})") from error
    longest = options.database_dead_seconds * 1_000_000
    names = ", ".join(name if micros < longest else f"{name} (silent)" for name, micros in found) or "none"
    return f"{address}, PostgreSQL {version.major}; routers: {names}; {held} calls run"
