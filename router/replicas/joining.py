"""How a router comes among those that share a database: one after the other, with the same keys."""

import os
import socket

from sqlalchemy.ext.asyncio import AsyncEngine

from router.address import Address
from router.replicas.keys import agree
from router.store.postgres import NOW, Connection, open_shared
from signet.kit.home import Home
from signet.kit.names import uuid7

_JOIN = f"INSERT INTO routers (id, name, start_micros, beat_micros) VALUES ($1, $2, {NOW}, {NOW})"  # noqa: S608 - our own names


async def joining(home: Home, address: Address) -> tuple[AsyncEngine, str]:
    """Open the database, and be one of its routers: gives it, and the name that this one has there.

    Raises StartError, HomeError.
    """
    router = uuid7()

    async def come(connection: Connection) -> None:
        await agree(home, connection)
        await join(connection, router)

    return await open_shared(address, come), router


async def join(connection: Connection, router: str) -> None:
    """Take a place among the others. Raises as the connection does."""
    await connection.execute(_JOIN, router, f"{socket.gethostname()} {os.getpid()}")
