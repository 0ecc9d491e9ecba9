"""What an answer may do at which moment: an approval whose time is over is over, though nobody has noticed yet."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control import approvals
from control.approvals import Answer
from control.bells import Bells
from control.questions import Question
from control.store import approvals as store
from control.store import database, grants
from control.store.writer import Transaction
from signet.kit.errors import FailedPrecondition
from signet.v1 import approvals_pb2, policies_pb2
from tests.unit.control import seed

SECOND = 1_000_000
ASK = policies_pb2.Ask(network={"host": "api.example.org", "port": 443})


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Transaction]:
    """Give a moment in a store with an assistant."""
    path = tmp_path / "control.db"
    database.open_schema(path)
    engine = database.engine(path, writable=True)
    with engine.connect() as connection:
        transaction = Transaction(connection, 1_000_000 * SECOND)
        seed.agent(transaction)
        yield transaction
    engine.dispose()


def later(transaction: Transaction, seconds: float) -> Transaction:
    return replace(transaction, now=transaction.now + int(seconds * SECOND))


def ask(transaction: Transaction) -> store.Approval:
    return approvals._ask(Question("assistant", "", 0, ASK, "", 60), Bells(), transaction)


def yes(transaction: Transaction, asked: store.Approval, hold_seconds: int = 0) -> store.Approval:
    answer = Answer(asked.id, yes=True, scope=0, hold_seconds=hold_seconds, caller="tokens/me")
    return approvals._answer(answer, Bells(), transaction)


def test_a_yes_after_its_time_makes_no_grant(begun: Transaction) -> None:
    asked = ask(begun)
    with pytest.raises(FailedPrecondition, match="EXPIRED"):
        yes(later(begun, 60), asked)
    assert grants.of_agents(begun.connection, ["assistant"], begun.now) == []
    assert yes(later(begun, 59.9), asked).state == approvals_pb2.APPROVAL_STATE_APPROVED


def test_a_question_whose_time_is_over_is_asked_anew(begun: Transaction) -> None:
    asked = ask(begun)
    assert ask(later(begun, 59.9)).id == asked.id
    assert ask(later(begun, 60)).id != asked.id


def test_a_grant_holds_to_its_time_and_no_longer(begun: Transaction) -> None:
    yes(begun, ask(begun), hold_seconds=10)
    for seconds, held in ((9.9, 1), (10.0, 0)):
        now = later(begun, seconds).now
        assert len(grants.of_agents(begun.connection, ["assistant"], now)) == held
        assert grants.over(begun.connection, now) == 1 - held


def test_what_is_over_is_noted_once(begun: Transaction) -> None:
    ask(begun)
    other = Question("assistant", "", 0, policies_pb2.Ask(command={"command": "x"}), "", 60)
    granted = approvals._ask(other, Bells(), begun)
    yes(begun, granted, hold_seconds=30)
    over = later(begun, 60)
    assert approvals.any_over(begun.connection, over.now)
    assert approvals.expire(over, Bells()) == 2
    assert not approvals.any_over(begun.connection, over.now)
    assert approvals.expire(over, Bells()) == 0


def test_every_change_has_a_revision_of_its_own(begun: Transaction) -> None:
    asked = ask(begun)
    answered = yes(begun, asked)
    assert answered.revision == asked.revision + 1 == store.revision(begun.connection)
    assert [found.id for found in store.changed(begun.connection, after=asked.revision, limit=10)] == [asked.id]
