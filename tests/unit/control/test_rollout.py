"""Whatever is applied, reported and lost in whatever order: what is in force is good, and no sandbox is left behind."""

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from control import effective, policies, reports, rollout
from control.bells import Bells
from control.fleet import Fleet
from control.orders import Desk
from control.policies import Application
from control.relay import Relays
from control.store import database, sandboxes
from control.store import policies as store
from control.store.workers import Worker
from control.store.writer import Transaction
from signet.v1 import sandboxes_pb2
from tests.unit.control import seed

FLEET = {"a": "a1", "b": "b1"}
DOCUMENTS = [f"version: 1\ndescription: Number {number}\n" for number in range(3)]
BAD = "version: 2\n"


class Rollout(RuleBasedStateMachine):
    """Workers with sandboxes of the assistant, and people who apply policies."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "control.db"
        database.open_schema(path)
        self.engine = database.engine(path, writable=True)
        self.connection = self.engine.connect()
        self.connection.exec_driver_sql("PRAGMA synchronous = OFF")  # no power is cut here
        self.bells = Bells()
        self.desk = Desk(Relays(self.bells), b"k" * 32)
        self.boxes: dict[str, dict[int, sandboxes_pb2.Sandbox]] = {name: {} for name in FLEET}

    @initialize()
    def begin(self) -> None:
        transaction = Transaction(self.connection)
        seed.agent(transaction)
        nothing: Fleet = Fleet(None, None, self.bells, self.desk, 10, 2)  # type: ignore[arg-type] # not asked here
        for name, incarnation in FLEET.items():
            worker = Worker(name, incarnation, "", "", 4, ("builtin",), b"", 0, 1, draining=False, active_runs=0)
            nothing._register(worker, transaction)

    @rule(document=st.sampled_from([*DOCUMENTS, BAD]))
    def apply(self, document: str) -> None:
        before = store.in_force(self.connection, "default")
        wanted = Application("default", policies.read(document), 0, "tokens/me")
        applied = policies._apply(wanted, self.bells, Transaction(self.connection))
        now = store.in_force(self.connection, "default")
        assert applied.version is not None
        if document == BAD:
            assert applied.version.state == rollout.FAILED
            assert now == before
        else:
            assert now == applied.version
            assert now.document == document

    @rule(worker=st.sampled_from(list(FLEET)), number=st.integers(0, 2))
    def open_or_close(self, worker: str, number: int) -> None:
        boxes = self.boxes[worker]
        if boxes.pop(number, None) is None:
            boxes[number] = sandboxes_pb2.Sandbox(name=f"sandboxes/{worker}.{number}", agent="agents/assistant")
            self._load(boxes[number], fails=False)
        self._report(worker)

    @rule(worker=st.sampled_from(list(FLEET)), fails=st.booleans())
    def obey(self, worker: str, fails: bool) -> None:  # noqa: FBT001 - drawn
        """Load what is ordered, or fail to."""
        if any(key.startswith("policy") for key in self.desk.read(self.connection, worker, FLEET[worker]).directives):
            for box in self.boxes[worker].values():
                self._load(box, fails=fails)
        self._report(worker)

    @rule(worker=st.sampled_from(list(FLEET)))
    def lose(self, worker: str) -> None:
        """Forget a worker that is not heard from; its next report brings its sandboxes back."""
        sandboxes.forget_worker(self.connection, worker)
        rollout.settle(Transaction(self.connection), "default", self.bells)

    def _load(self, box: sandboxes_pb2.Sandbox, *, fails: bool) -> None:
        found = effective.of(self.connection, "assistant", 1)
        assert found is not None
        if fails:
            box.policy_problem, box.policy_problem_version = "it does not fit", found.version.version
            return
        box.policy, box.policy_version, box.policy_digest = "policies/default", found.version.version, found.digest
        box.policy_problem, box.policy_problem_version = "", 0

    def _report(self, worker: str) -> None:
        found = tuple(reports.check(worker, list(self.boxes[worker].values())))
        reports._keep(worker, FLEET[worker], found, self.bells, Transaction(self.connection))

    @invariant()
    def what_is_in_force_is_good_and_says_truly_how_far(self) -> None:
        current = store.in_force(self.connection, "default")
        if current is None:
            return  # before the first step
        assert current.canonical
        assert current.state in {rollout.PENDING, rollout.LOADED}
        loaded, of = store.spread(self.connection, "default", current.version)
        if current.state == rollout.PENDING:
            assert loaded < of
        others = store.version_page(self.connection, policy="default", before=None, limit=1000)
        ended = {rollout.FAILED, rollout.SUPERSEDED}
        assert {version.state for version in others if version.version != current.version} <= ended

    @invariant()
    def whoever_lacks_it_is_told(self) -> None:
        found = effective.of(self.connection, "assistant", 1)
        for worker, incarnation in FLEET.items():
            rows = sandboxes.of_worker(self.connection, worker)
            lacking = any(found and row.policy_digest != found.digest for row in rows)
            orders = self.desk.read(self.connection, worker, incarnation) if rows else None
            told = orders is not None and any(order.HasField("load_policy") for order in orders.directives.values())
            assert told == lacking

    def teardown(self) -> None:
        self.connection.close()
        self.engine.dispose()
        self.folder.cleanup()


TestRollout = Rollout.TestCase
TestRollout.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
