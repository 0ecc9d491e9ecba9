"""Whatever happens in whatever order: a run has one holder, a stale generation writes nothing, events have no gap."""

import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import sqlalchemy as sa
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from control import appends, claims, endings
from control import leases as losses
from control.appends import Batch
from control.bells import Bells
from control.cancels import Cancels
from control.claims import Terms
from control.endings import Ending
from control.fleet import Fleet
from control.store import database, events, leases, runs, sessions
from control.store.workers import Worker
from control.store.writer import Transaction
from signet.kit.errors import SignetError
from signet.kit.names import uuid7
from signet.v1 import events_pb2, runs_pb2
from signet.work.v1 import work_pb2
from tests.unit.control import seed

LEASE = 10


@dataclass(frozen=True)
class Handle:
    """What a worker was given: it may still try to use it long after."""

    run: str
    generation: int
    worker: str
    incarnation: str


@dataclass
class Known:
    """What should be true of a run."""

    session: str | None
    holder: Handle | None = None
    expires: int = 0
    last: int = 1
    final: bool = False
    cancelled: bool = False
    tools: int = 0
    digests: set[str] = field(default_factory=set)


class Fencing(RuleBasedStateMachine):
    """Workers that claim, write, stall, come back and lie, against one store."""

    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "control.db"
        database.open_schema(path)
        self.engine = database.engine(path, writable=True)
        self.connection = self.engine.connect()
        self.connection.exec_driver_sql("PRAGMA synchronous = OFF")  # no power is cut here
        self.bells = Bells()
        self.now = 1_000_000_000_000_000
        self.known: dict[str, Known] = {}
        self.incarnations: dict[str, str] = {}
        nothing: Any = None
        self.fleet = Fleet(nothing, nothing, self.bells, nothing, LEASE, 2)
        self.cancels = Cancels(nothing, self.bells)
        self.sessions = [self._new_session() for _ in range(2)]

    @initialize()
    def begin(self) -> None:
        """Begin with a worker and a run: most of what matters needs both."""
        self.register("a", 1)
        self.create(None)

    def teardown(self) -> None:
        self.connection.close()
        self.engine.dispose()
        self.folder.cleanup()

    def _transaction(self) -> Transaction:
        return Transaction(self.connection, self.now)

    def _try(self, change: Any) -> Any:
        """Apply a change as the writer does; None where it was refused."""
        raw: sqlite3.Connection = database.driver(self.connection)
        raw.execute("BEGIN IMMEDIATE")
        try:
            result = change(self._transaction())
        except SignetError as error:
            raw.execute("ROLLBACK")
            return error
        raw.execute("COMMIT")
        return result

    def _new_session(self) -> str:
        ident = uuid7()

        def change(transaction: Transaction) -> None:
            seed.agent(transaction)
            sessions.insert(transaction.connection, ident, "assistant", "", self.now)

        self._try(change)
        return ident

    @rule(session=st.sampled_from([None, 0, 1]))
    def create(self, session: int | None) -> None:
        ident = f"{len(self.known):08d}"
        chosen = None if session is None else self.sessions[session]

        def change(transaction: Transaction) -> None:
            seed.run(transaction, ident, chosen)

        self._try(change)
        self.known[ident] = Known(chosen)

    @rule(name=st.sampled_from(["a", "b"]), incarnation=st.integers(1, 3))
    def register(self, name: str, incarnation: int) -> None:
        said = f"{name}{incarnation}"
        worker = Worker(name, said, "", "", 4, ("builtin",), b"", 0, self.now, draining=False, active_runs=0)
        self._try(lambda transaction: self.fleet._register(worker, transaction))
        self.incarnations[name] = said
        for run, known in self.known.items():
            if known.holder and known.holder.worker == name and known.holder.incarnation != said:
                self._expect_lost(run)

    @rule(target=handles, name=st.sampled_from(["a", "b"]))
    def claim(self, name: str) -> Any:
        if name not in self.incarnations:
            return multiple()
        said = self.incarnations[name]
        terms = Terms(LEASE, 1000, b"k" * 32)
        free = [run for run, known in self.known.items() if self._claimable(run, known)]
        given = self._try(lambda transaction: claims.claim(transaction, name, said, terms, self.bells))
        if given is None:
            assert not free
            return multiple()
        assert isinstance(given, work_pb2.Assignment)
        run = given.run.name.removeprefix("runs/")
        assert run == min(free)
        known = self.known[run]
        known.last += 1
        assert given.next_sequence == known.last + 1
        known.holder = Handle(run, given.lease.generation, name, said)
        known.expires = self.now + LEASE * 1_000_000
        return known.holder

    def _claimable(self, run: str, known: Known) -> bool:
        row = runs.row(self.connection, run)
        busy = any(other.holder and other.session == known.session for other in self.known.values() if known.session)
        return row is not None and row.state == runs_pb2.RUN_STATE_PENDING and not busy

    @rule(handle=handles, count=st.integers(1, 3), tool=st.booleans())
    def append(self, handle: Handle, count: int, tool: bool) -> None:  # noqa: FBT001 - drawn
        known = self.known[handle.run]
        found = []
        for number in range(count):
            event = events_pb2.RunEvent(sequence=known.last + 1 + number, text={"text": "x"})
            if tool:
                event.tool_call_started.id = "1"
            event.time.FromMicroseconds(self.now)
            found.append(event)
        batch = Batch(handle.run, handle.generation, found)
        result = self._try(lambda transaction: appends.append(transaction, batch, self.bells, None))
        if self._holds(handle):
            known.last += count
            known.tools += count if tool else 0
            assert result == known.last
        else:
            assert isinstance(result, SignetError)
            assert result.reason == "LEASE_LOST"

    @rule(handle=handles)
    def renew(self, handle: Handle) -> None:
        held = ((handle.run, handle.generation),)
        result = self._try(
            lambda transaction: self.fleet._renew(handle.worker, handle.incarnation, held, 0, transaction)
        )
        if self.incarnations[handle.worker] != handle.incarnation:
            assert isinstance(result, SignetError)
        elif self._holds(handle):
            assert result == []
            self.known[handle.run].expires = self.now + LEASE * 1_000_000
        else:
            assert result == [handle.run]

    @rule(handle=consumes(handles))
    def finish(self, handle: Handle) -> None:
        def change(transaction: Transaction) -> Any:
            appends.append(transaction, Batch(handle.run, handle.generation, ()), self.bells, None)
            ending = Ending(outcome=runs_pb2.RUN_STATE_SUCCEEDED, output="y")
            return endings.finish(transaction, handle.run, ending, self.bells)

        holds = self._holds(handle)
        result = self._try(change)
        assert isinstance(result, runs_pb2.Run) == holds
        if holds:
            self._expect_final(handle.run)

    @rule(seconds=st.integers(1, 25))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1_000_000

    @rule()
    def sweep(self) -> None:
        for lease in leases.expired(self.connection, self.now):
            self._try(lambda transaction, lease=lease: losses.lose(transaction, lease, 2, self.bells))
            self._expect_lost(lease.run)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if not self.known:
            return
        run = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[run]
        row = runs.row(self.connection, run)
        assert row is not None
        self._try(lambda transaction: self.cancels._cancel(run, "tokens/x", transaction))
        if not known.final:
            known.cancelled = True
            if row.state == runs_pb2.RUN_STATE_PENDING:
                self._expect_final(run)

    def _holds(self, handle: Handle) -> bool:
        known = self.known[handle.run]
        return known.holder == handle and known.expires > self.now

    def _expect_lost(self, run: str) -> None:
        known = self.known[run]
        known.holder = None
        row = runs.row(self.connection, run)
        assert row is not None
        known.last += 1
        if row.state == runs_pb2.RUN_STATE_PENDING:
            assert not known.cancelled
            assert known.tools == 0
        else:
            self._expect_final(run)

    def _expect_final(self, run: str) -> None:
        known = self.known[run]
        known.final = True
        known.holder = None
        known.last += 2 if known.cancelled else 1

    @invariant()
    def every_run_is_as_it_should_be(self) -> None:
        for run, known in self.known.items():
            row = runs.row(self.connection, run)
            assert row is not None
            assert row.final == known.final
            assert row.last_sequence == known.last
            lease = leases.get(self.connection, run)
            assert (lease is None) == (known.holder is None)
            if known.final:
                found = runs.get(self.connection, run)
                assert found is not None
                known.digests.add(found.record_digest)
                assert len(known.digests) == 1  # final states never change
                assert "" not in known.digests

    @invariant()
    def events_have_no_gap_and_finished_is_the_last(self) -> None:
        for run, known in self.known.items():
            found = list(events.all_of(self.connection, run))
            assert [event.sequence for event in found] == list(range(1, known.last + 1))
            ends = [event.sequence for event in found if event.HasField("finished")]
            assert ends == ([known.last] if known.final else [])
            generations = [event.generation for event in found if event.generation]
            assert generations == sorted(generations)

    @invariant()
    def a_session_has_one_run_in_hands_at_most(self) -> None:
        held = [known.session for known in self.known.values() if known.holder and known.session]
        assert len(held) == len(set(held))

    @invariant()
    def foreign_keys_hold(self) -> None:
        assert not self.connection.execute(sa.text("PRAGMA foreign_key_check")).all()


Fencing.TestCase.settings = settings(max_examples=20, stateful_step_count=40, deadline=None, derandomize=True)
TestFencing = Fencing.TestCase
