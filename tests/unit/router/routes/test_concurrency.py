"""The limit falls by a factor when a target pushes back or slows, and rises by steps."""

from router.routes.concurrency import Limiter


def test_it_begins_at_the_most() -> None:
    assert Limiter(64).allowed == 64


def test_a_push_halves_it_and_many_at_once_count_once() -> None:
    limiter = Limiter(64)
    for _ in range(10):
        limiter.pushed(1.0, 2.0)
    assert limiter.allowed == 32
    limiter.pushed(3.0, 4.0)
    assert limiter.allowed == 16


def test_it_never_falls_below_one() -> None:
    limiter = Limiter(8)
    for now in range(1, 20):
        limiter.pushed(now, now)
    assert limiter.allowed == 1


def test_it_rises_by_one_for_each_round_of_calls_that_use_it_and_no_higher_than_the_most() -> None:
    limiter = Limiter(8)
    limiter.pushed(1.0, 1.0)
    assert limiter.allowed == 4
    for _ in range(5):
        limiter.answered(2.0, 2.1, 4, stream=False)
    assert limiter.allowed == 5
    for _ in range(500):
        limiter.answered(2.0, 2.1, 8, stream=False)
    assert limiter.allowed == 8


def test_it_does_not_rise_for_calls_that_do_not_use_it() -> None:
    limiter = Limiter(8)
    limiter.pushed(1.0, 1.0)
    for _ in range(500):
        limiter.answered(2.0, 2.1, 1, stream=False)
    assert limiter.allowed == 4


def test_an_answer_far_slower_than_usual_lowers_it() -> None:
    limiter = Limiter(64)
    for _ in range(20):
        limiter.answered(1.0, 1.2, 10, stream=True)
    limiter.answered(2.0, 5.0, 50, stream=False)  # whole answers take longer, and are compared with one another
    assert limiter.allowed == 64
    limiter.answered(6.0, 9.0, 50, stream=True)
    assert limiter.allowed == 57


def test_one_slow_answer_does_not_make_slow_ones_usual() -> None:
    limiter = Limiter(64)
    limiter.answered(1.0, 1.2, 10, stream=True)
    limiter.answered(2.0, 60.0, 10, stream=True)
    limiter.answered(61.0, 63.0, 10, stream=True)
    assert limiter.allowed == 51
