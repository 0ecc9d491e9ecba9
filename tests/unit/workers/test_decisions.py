"""What a sandbox's egress decides is told at once, counted where it repeats, and bounded in a run's record."""

import asyncio
from dataclasses import replace

import pytest

from workers import decisions
from workers.decisions import KINDS, Decisions
from workers.egress import Decided

ONE = Decided("a.test", 443, "", "/usr/bin/curl", "", "", "deny", "default", "nothing lets it through")


async def test_the_first_is_told_at_once_and_repeats_are_counted() -> None:
    told: list[tuple[Decided, int]] = []
    heard = Decisions(lambda decided, count: told.append((decided, count)))
    heard.note(ONE)
    heard.note(ONE)
    heard.note(replace(ONE, count=3))
    assert told == [(ONE, 1)]
    heard.flush()
    heard.flush()
    assert told == [(ONE, 1), (ONE, 4)]
    heard.note(ONE)
    assert told[2:] == [(ONE, 1)]
    heard.flush()


async def test_they_are_told_by_themselves_when_the_window_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "MERGED_SECONDS", 0.01)
    twice = asyncio.Event()
    heard = Decisions(lambda _, count: twice.set() if count == 2 else None)
    for _ in range(3):
        heard.note(ONE)
    await asyncio.wait_for(twice.wait(), 10)


async def test_what_is_counted_at_a_time_is_bounded() -> None:
    told: list[tuple[Decided, int]] = []
    heard = Decisions(lambda decided, count: told.append((decided, count)))
    for port in range(1, KINDS + 1):
        heard.note(replace(ONE, port=port))
    heard.note(replace(ONE, port=1))
    heard.note(replace(ONE, port=KINDS + 1))
    assert told[KINDS:] == [(replace(ONE, port=1), 1), (replace(ONE, port=KINDS + 1), 1)]
    heard.flush()
