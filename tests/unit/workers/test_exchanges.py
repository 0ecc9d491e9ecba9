from typing import Any

import pytest

from workers.exchanges import explained, usage_of


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b'{"error": {"message": "no"}}', ""),
        (404, b'{"error": {"message": "no such model"}}', "no such model"),
        (500, b"<html>", "status 500"),
        (500, b'{"error": "plain"}', "status 500"),
        (429, b'{"error": {"message": ""}}', "status 429"),
        (502, b"[" * 10_000, "status 502"),
    ],
)
def test_an_error_answer_is_explained_in_its_own_words(status: int, body: bytes, said: str) -> None:
    assert explained(status, body) == said


@pytest.mark.parametrize("value", [None, "7", -1, 1.5, 1 << 63, [], True and "x"])
def test_what_is_no_count_counts_as_nothing(value: Any) -> None:
    assert usage_of({"call": "c", "input_tokens": value}).input_tokens == 0


def test_no_word_on_usage_is_no_call() -> None:
    assert usage_of({}).calls == 0


def test_a_cost_of_zero_is_known() -> None:
    assert usage_of({"cost_microusd": 0}).HasField("cost_microusd")
    assert not usage_of({"cost_microusd": None}).HasField("cost_microusd")
