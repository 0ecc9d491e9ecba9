"""How a router comes among those that share a database: one after the other, with the same keys."""

import os
import socket

from router.address import Address
from router.replicas.keys import agree
from router.store import routers
from router.store.database import AsyncEngine
from router.store.postgres import Connection, open_shared
from signet.kit.home import Home
from signet.kit.names import uuid7


async def joining(home: Home, address: Address) -> tuple[AsyncEngine, str]:
    """Open the database, and be one of its routers: gives it, and the name that this one has there.

    Raises StartError, HomeError.
    """
    router = uuid7()

    async def come(connection: Connection) -> None:
        await agree(home, connection)
        await routers.join(connection, router, f"{socket.gethostname()} {os.getpid()}")

    return await open_shared(address, come), router
