"""The order of trial is a pure function: ready before the rest, weights kept, sessions faithful."""

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from router.routes.choose import Candidate, Standing, Wish, order
from router.routes.route import LOAD, ORDER, PREFERENCES, PRICE, SPEED, WEIGHT

TRIABLE = (Standing.READY, Standing.BUSY, Standing.DOUBTFUL)


def candidate(place: int, **fields: object) -> Candidate:
    """Make one that is ready."""
    return replace(Candidate(place, f"p/{place}", 100, Standing.READY, "ready"), **fields)  # type: ignore[arg-type] # fields of it


def luck(seed: int) -> random.Random:
    """Give chance that can be had again."""
    return random.Random(seed)  # noqa: S311 - it is for tests


def shut(each: Candidate) -> Candidate:
    """Give it with an open circuit."""
    return replace(each, standing=Standing.SHUT)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Give some targets in any condition."""
    return [
        Candidate(
            place,
            f"p/{place}",
            draw(st.integers(1, 1000)),
            draw(st.sampled_from(Standing)),
            "because",
            draw(st.none() | st.integers(0, 1 << 40)),
            draw(st.integers(0, 1 << 40)),
            draw(st.floats(0, 2)),
        )
        for place in range(draw(st.integers(0, 32)))
    ]


wishes = st.builds(
    Wish, st.sampled_from(PREFERENCES), st.text(max_size=20), st.sampled_from(["", "p/0", "p/1", "p/nothing"])
)


@given(candidates(), wishes, st.integers())
def test_nothing_unready_is_before_anything_ready_and_nothing_impossible_is_tried(
    given_: list[Candidate], wish: Wish, seed: int
) -> None:
    found = order(given_, wish, luck(seed).random)
    assert [each.standing for each in found] == sorted(each.standing for each in found)
    assert {each.place for each in found} == {each.place for each in given_ if each.standing in TRIABLE}
    assert len(found) == len({each.place for each in found})


@given(candidates(), wishes, st.integers())
def test_the_same_gives_the_same(given_: list[Candidate], wish: Wish, seed: int) -> None:
    before = list(given_)
    first = order(given_, wish, luck(seed).random)
    assert order(given_, wish, luck(seed).random) == first
    assert given_ == before
    if wish.session or wish.preference != WEIGHT:
        assert order(given_, wish, lambda: 0.5) == first


@given(candidates(), st.sampled_from(PREFERENCES), st.text(min_size=1, max_size=20), st.integers())
def test_a_session_stays_where_it_is_when_others_fail(
    given_: list[Candidate], preference: str, session: str, seed: int
) -> None:
    chance = luck(seed)
    ready = [replace(each, standing=Standing.READY) for each in given_]
    if not ready:
        return
    wish = Wish(preference, session)
    first = order(ready, wish, chance.random)[0]
    others = [
        each if each == first or chance.random() < 0.5 else replace(each, standing=Standing.SHUT) for each in ready
    ]
    assert order(others, replace(wish, kept=first.name), chance.random)[0] == first


def test_weights_are_kept_in_the_long_run() -> None:
    chance = luck(7)
    given_ = [candidate(0, weight=100), candidate(1, weight=300), candidate(2, weight=600)]
    by_chance = Counter(order(given_, Wish(WEIGHT), chance.random)[0].place for _ in range(20_000))
    by_session = Counter(order(given_, Wish(WEIGHT, f"sessions/{n}"), chance.random)[0].place for n in range(20_000))
    for found in (by_chance, by_session):
        for place, share in enumerate((0.1, 0.3, 0.6)):
            assert abs(found[place] / 20_000 - share) < 0.015


def test_a_target_that_is_added_moves_no_session_but_to_itself() -> None:
    before = [candidate(place) for place in range(4)]
    after = [*before, candidate(4)]
    moved = 0
    for number in range(2_000):
        wish = Wish(WEIGHT, f"sessions/{number}")
        was, is_ = order(before, wish, random.random)[0], order(after, wish, random.random)[0]
        if was.place != is_.place:
            assert is_.place == 4
            moved += 1
    assert 0.15 < moved / 2_000 < 0.25


def test_what_is_preferred_comes_first() -> None:
    def places(preference: str, *given_: Candidate, **wish: str) -> list[int]:
        return [each.place for each in order(given_, Wish(preference, **wish), random.random)]

    assert places(ORDER, candidate(1), candidate(0)) == [0, 1]
    assert places(PRICE, candidate(0), candidate(1, price=9), candidate(2, price=0)) == [2, 1, 0]
    assert places(PRICE, candidate(0, price=9), candidate(1, price=9, weight=200)) == [1, 0]
    assert places(SPEED, candidate(0, micros=9), candidate(1, micros=3), candidate(2)) == [2, 1, 0]
    assert places(SPEED, candidate(0, micros=9), candidate(1, micros=3), session="s", kept="p/0") == [0, 1]
    assert places(LOAD, candidate(0, load=0.5), candidate(1, load=0.25)) == [1, 0]
    assert places(LOAD, candidate(0, load=0.5), candidate(1, load=0.25), session="s", kept="p/0") == [0, 1]
    busy = candidate(0, standing=Standing.BUSY)
    assert places(LOAD, busy, candidate(1, load=0.25), session="s", kept="p/0") == [1, 0]
