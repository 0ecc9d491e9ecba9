"""A lease whose time is over is over, though nobody has noticed yet."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control import appends, claims
from control.appends import Batch
from control.bells import Bells
from control.claims import Terms
from control.fleet import Fleet
from control.store import database, leases
from control.store.workers import Worker
from control.store.writer import Transaction
from signet.kit.errors import FailedPrecondition
from tests.unit.control import seed

SECOND = 1_000_000


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Transaction]:
    """Give the moment at which a worker has taken a run for ten seconds."""
    path = tmp_path / "control.db"
    database.open_schema(path)
    engine = database.engine(path, writable=True)
    with engine.connect() as connection:
        transaction = Transaction(connection, 1_000_000 * SECOND)
        seed.run(transaction, "1")
        worker = Worker("a", "a1", "", "", 4, ("builtin",), b"", 0, 1, draining=False, active_runs=0)
        fleet()._register(worker, transaction)
        claims.claim(transaction, "a", "a1", Terms(10, 1000, b"k" * 32), Bells())
        yield transaction
    engine.dispose()


def fleet() -> Fleet:
    nothing: Any = None
    return Fleet(nothing, nothing, Bells(), nothing, 10, 2)


def later(transaction: Transaction, seconds: float) -> Transaction:
    return replace(transaction, now=transaction.now + int(seconds * SECOND))


def test_nothing_is_appended_after_the_lease_ended(begun: Transaction) -> None:
    appends.append(later(begun, 9.9), Batch("1", 1, ()), Bells(), None)
    with pytest.raises(FailedPrecondition, match="no lease"):
        appends.append(later(begun, 10), Batch("1", 1, ()), Bells(), None)


def test_a_lease_that_ended_cannot_be_renewed(begun: Transaction) -> None:
    held = (("1", 1),)
    assert fleet()._renew("a", "a1", held, 0, later(begun, 9.9)) == []
    assert fleet()._renew("a", "a1", held, 0, later(begun, 19.8)) == []
    assert fleet()._renew("a", "a1", held, 0, later(begun, 29.8)) == ["1"]


def test_a_lease_ends_at_its_time_and_no_sooner(begun: Transaction) -> None:
    assert leases.expired(begun.connection, later(begun, 9.9).now) == []
    assert [lease.run for lease in leases.expired(begun.connection, later(begun, 10).now)] == ["1"]


def test_a_lease_of_another_incarnation_or_generation_is_not_renewed(begun: Transaction) -> None:
    assert fleet()._renew("a", "a1", (("1", 2),), 0, begun) == ["1"]
    assert fleet()._renew("a", "a1", (("2", 1),), 0, begun) == ["2"]
    with pytest.raises(FailedPrecondition, match="newest incarnation"):
        fleet()._renew("a", "a0", (("1", 1),), 0, begun)
