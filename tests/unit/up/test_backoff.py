"""A program that ends is started again soon, and less and less soon, until it is a crash loop."""

from signet.up.backoff import LOOP_CRASHES, WINDOW_SECONDS, Backoff


def test_pauses_double_and_the_fifth_end_within_a_minute_is_a_crash_loop() -> None:
    backoff = Backoff()
    assert [backoff.ended(now, 0.1) for now in range(4)] == [0.1, 0.2, 0.4, 0.8]
    assert not backoff.looping
    assert backoff.ended(4, 0.1) == 30
    assert backoff.looping


def test_ends_of_more_than_a_minute_ago_count_no_more() -> None:
    backoff = Backoff()
    pauses = [backoff.ended(number * (WINDOW_SECONDS + 1), 1) for number in range(20)]
    assert set(pauses) == {0.1}


def test_a_crash_loop_lasts_until_the_program_stays_up() -> None:
    backoff = Backoff()
    for now in range(LOOP_CRASHES):
        backoff.ended(now, 0.1)
    assert backoff.ended(500, 1) == 30, "it did not stay up"
    assert backoff.ended(1000, WINDOW_SECONDS + 1) == 0.1, "it did"
