"""Calls a minute, exactly, by a clock that the test turns."""

import pytest

from router.apis import rate
from router.apis.rate import Rates


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_no_minute_has_more_calls_than_are_allowed_wherever_it_begins(clock: Clock) -> None:
    rates, passed = Rates(clock), []
    for _ in range(2000):
        clock.now += 0.1
        if rates.take("x", "agents/a", 7) == 0:
            passed.append(clock.now)
    assert max(sum(1 for at in passed if begin <= at < begin + 60) for begin in passed) == 7
    assert len(passed) >= 7 * 3


def test_who_is_refused_is_told_when_a_call_fits_again(clock: Clock) -> None:
    rates = Rates(clock)
    assert rates.take("x", "agents/a", 2) == 0
    clock.now += 10
    assert rates.take("x", "agents/a", 2) == 0
    clock.now += 10
    assert rates.take("x", "agents/a", 2) == pytest.approx(40)
    clock.now += 40
    assert rates.take("x", "agents/a", 2) == 0
    assert rates.take("x", "agents/a", 2) == pytest.approx(10)


def test_each_api_and_each_caller_is_counted_by_itself(clock: Clock) -> None:
    rates = Rates(clock)
    assert [rates.take(api, who, 1) for api in ("x", "y") for who in ("agents/a", "agents/b")] == [0] * 4
    assert rates.take("x", "agents/a", 1) == 60


def test_a_lower_limit_holds_for_the_calls_that_were_made_before_it(clock: Clock) -> None:
    rates = Rates(clock)
    for _ in range(5):
        rates.take("x", "agents/a", 5)
        clock.now += 1
    assert rates.take("x", "agents/a", 2) == pytest.approx(60 - 2)


def test_who_calls_no_more_is_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_CALLERS", 10)
    rates = Rates(clock)
    for number in range(50):
        rates.take("x", f"agents/{number}", 1)
        clock.now += 7
    assert len(rates._calls) <= 11
    assert rates.take("x", "agents/49", 1) > 0
