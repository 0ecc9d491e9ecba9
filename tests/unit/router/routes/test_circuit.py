"""A circuit opens where calls fail, lets one try again after a while, and closes where that went well."""

import pytest

from router.routes.circuit import CLOSED, HALF_OPEN, OPEN, Circuit


def failed(circuit: Circuit, times: int, now: float = 0.0) -> None:
    """Let calls fail."""
    for _ in range(times):
        circuit.failed(now, probe=False)


def test_five_in_a_row_open_it_for_five_seconds() -> None:
    circuit = Circuit()
    failed(circuit, 4)
    assert circuit.admits(0)
    failed(circuit, 1)
    assert not circuit.admits(4.9)
    assert (circuit.state(4.9), circuit.state(5.0)) == (OPEN, HALF_OPEN)
    assert circuit.wait(2.0) == 3.0
    assert circuit.admits(5.0)


def test_half_of_the_last_twenty_open_it_too() -> None:
    circuit = Circuit()
    for number in range(19):
        circuit.failed(0, probe=False) if number % 2 else circuit.well()
    assert circuit.state(0) == CLOSED
    circuit.failed(0, probe=False)
    assert circuit.state(0) == OPEN
    assert circuit.failures_per_mille == 500


def test_a_call_in_two_that_go_well_keeps_it_closed_while_few_fail() -> None:
    circuit = Circuit()
    for number in range(100):
        circuit.failed(0, probe=False) if number % 3 == 0 else circuit.well()
    assert circuit.state(0) == CLOSED


def test_one_call_tries_and_no_other() -> None:
    circuit = Circuit()
    failed(circuit, 5)
    assert circuit.admits(5)
    assert circuit.begin()
    assert not circuit.admits(6)
    circuit.began(probe=True)
    assert circuit.state(6) == CLOSED
    assert circuit.failures_per_mille == 0
    assert not circuit.begin()


@pytest.mark.parametrize(("probes", "wait"), [(1, 10), (2, 20), (3, 40), (4, 60), (9, 60)])
def test_a_try_that_fails_doubles_the_wait_up_to_a_minute(probes: int, wait: int) -> None:
    circuit = Circuit()
    failed(circuit, 5)
    now = 5.0
    for _ in range(probes):
        assert circuit.admits(now)
        assert circuit.begin()
        circuit.failed(now, probe=True)
        last, now = now, now + circuit.wait(now)
    assert now - last == wait


def test_a_try_that_tells_nothing_leaves_it_to_the_next() -> None:
    circuit = Circuit()
    failed(circuit, 5)
    circuit.begin()
    circuit.unknown(probe=True)
    assert circuit.admits(5)


def test_calls_from_before_neither_close_it_nor_keep_it_open_longer() -> None:
    circuit = Circuit()
    failed(circuit, 5)
    circuit.well()
    failed(circuit, 7, now=4.0)
    assert circuit.state(4.0) == OPEN
    assert circuit.wait(4.0) == 1.0


def test_what_wants_to_be_left_alone_is_and_then_is_as_before() -> None:
    circuit = Circuit()
    circuit.hold(7.0)
    circuit.hold(3.0)
    assert not circuit.admits(6.9)
    assert circuit.held(6.9)
    assert circuit.state(6.9) == CLOSED
    assert circuit.admits(7.0)
    assert not circuit.begin()
