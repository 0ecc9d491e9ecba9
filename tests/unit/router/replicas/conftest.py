"""One PostgreSQL for all tests of a session, a database of its own for each test."""

import asyncio
from collections.abc import Iterator

import pytest

from router.address import Address
from router.store.postgres import open_shared
from tests.harness.postgres import Postgres, postgres
from tests.unit.router.replicas.desk import alone


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Run it, with a database `made` that is migrated: migrations take longer than most tests."""
    with postgres() as running:
        asyncio.run(_made(running))
        yield running


async def _made(running: Postgres) -> None:
    url = await running.database(name="made")
    await (await open_shared(Address(url), alone)).dispose()


@pytest.fixture
async def address(server: Postgres) -> Address:
    """Give a migrated database."""
    return Address(await server.database("made"))
