"""How far a policy's version is in force, found out from what the sandboxes under it say."""

from functools import partial

from control.bells import ORDERS, Bells
from control.store import policies
from control.store.writer import Transaction
from signet.v1 import policies_pb2

PENDING = policies_pb2.POLICY_STATE_PENDING
LOADED = policies_pb2.POLICY_STATE_LOADED
FAILED = policies_pb2.POLICY_STATE_FAILED
SUPERSEDED = policies_pb2.POLICY_STATE_SUPERSEDED


def settle(transaction: Transaction, policy: str, bells: Bells) -> None:
    """See whether every sandbox has the version that is PENDING, or one of them could not load it.

    A version that could not be loaded is FAILED, and the last good one is in force again.
    """
    connection = transaction.connection
    current = policies.in_force(connection, policy)
    if current is None or current.state != PENDING:
        return
    problem = policies.problem(connection, policy, current.version)
    if problem:
        sandbox, why = problem
        policies.set_state(connection, policy, current.version, FAILED, f"sandboxes/{sandbox} could not load it: {why}")
        _go_back(transaction, current, bells)
        return
    loaded, of = policies.spread(connection, policy, current.version)
    if loaded == of:
        policies.set_state(connection, policy, current.version, LOADED)


def _go_back(transaction: Transaction, failed: policies.Version, bells: Bells) -> None:
    connection = transaction.connection
    good = policies.newest_of(connection, failed.policy, below=failed.version, states=(LOADED, SUPERSEDED))
    policies.change(connection, failed.policy, version=good.version if good else 0, update_time=transaction.now)
    transaction.after(partial(bells.ring, ORDERS))
    if good:
        policies.set_state(connection, failed.policy, good.version, PENDING)
        settle(transaction, failed.policy, bells)
