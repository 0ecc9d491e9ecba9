"""Which worker a caller is handed to, as a table."""

import pytest

from control.store.sandboxes import Sandbox
from control.store.workers import Worker
from control.visits import pick
from signet.v1 import sandboxes_pb2

IDLE, BUSY = sandboxes_pb2.SANDBOX_STATE_IDLE, sandboxes_pb2.SANDBOX_STATE_BUSY
STOPPING = sandboxes_pb2.SANDBOX_STATE_STOPPING


def worker(ident: str, active: int = 0, *, draining: bool = False) -> Worker:
    return Worker(ident, "1", "", "", 4, ("builtin",), b"", 0, 1, draining=draining, active_runs=active)


def box(where: str, state: int, stop: int = 0) -> Sandbox:
    return Sandbox(f"{where}.1", where, "a", "", state, "", 0, "", "", 0, 0, b"", stop)


A, B, DRAINING = worker("a"), worker("b", 3), worker("c", draining=True)


@pytest.mark.parametrize(
    ("fleet", "open_ones", "last", "expected"),
    [
        ([], [], "", None),
        ([], [box("a", IDLE)], "a", None),
        ([A, B], [box("b", BUSY), box("a", IDLE)], "", "a"),
        ([A, B], [box("b", BUSY)], "a", "b"),
        ([A, B], [box("gone", IDLE)], "b", "b"),
        ([A, B], [], "b", "b"),
        ([A, B], [], "gone", "a"),
        ([B, A], [], "", "a"),
        ([A, DRAINING], [], "c", "a"),
        ([A, DRAINING], [box("c", IDLE)], "", "c"),
        ([DRAINING], [], "c", None),
        ([A, B], [box("b", IDLE, stop=1)], "", "a"),
        ([A, B], [box("b", STOPPING)], "", "a"),
    ],
)
def test_who_is_asked(fleet: list[Worker], open_ones: list[Sandbox], last: str, expected: str | None) -> None:
    assert pick(fleet, open_ones, last) == expected
