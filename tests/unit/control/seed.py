"""Rows that tests of the store begin with."""

from control import policies
from control.agents import ASSISTANT, fill
from control.bells import Bells
from control.stamp import Sources, take
from control.store import agents, events, runs, stamps
from control.store.writer import Transaction
from signet.v1 import events_pb2, runs_pb2
from signet.work.v1 import work_pb2

PLAN = work_pb2.Assignment(policy={"policy": {"policy": "policies/default", "version": 1}})
SOURCES = Sources(soul="s", tools="t", runtime="r", model="m", permissions="p")


def agent(transaction: Transaction) -> None:
    """Keep the assistant and the policies that come with Signet, once."""
    if agents.get(transaction.connection, "assistant") is None:
        policies.seed(Bells(), transaction)
        agents.insert(transaction.connection, fill(ASSISTANT), transaction.now)


def run(transaction: Transaction, ident: str, session: str | None = None) -> None:
    """Keep a PENDING run of the assistant and its first event."""
    agent(transaction)
    stamp = take(SOURCES)
    stamps.keep(transaction.connection, stamp, SOURCES.by_digest())
    plan = stamps.keep_body(transaction.connection, PLAN.SerializeToString())
    values = {
        "id": ident, "agent": "assistant", "session": session, "state": runs_pb2.RUN_STATE_PENDING,
        "stamp": stamp.digest, "plan": plan, "model": "models/m",
        "runtime": "builtin", "create_time": transaction.now, "last_sequence": 1,
    }  # fmt: skip
    runs.insert(transaction.connection, values, "x")
    events.insert(transaction.connection, ident, [events_pb2.RunEvent(sequence=1, created={})])
