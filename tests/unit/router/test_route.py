"""A name stands for exactly one model, or for none, and then near names are told."""

import pytest

from router.route import Choice, Offer, alias, pick_default, route
from signet.kit.errors import NotFound

OFFERS = [
    Offer("embedded", ("smollm2", "e5")),
    Offer("openai", ("gpt-x", "org/model:v1")),
    Offer("lab", (), open=True),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("embedded/smollm2", Choice("embedded", "smollm2")),
        ("models/embedded/e5", Choice("embedded", "e5")),
        ("openai/org/model:v1", Choice("openai", "org/model:v1")),
        ("lab/anything/at:all", Choice("lab", "anything/at:all")),
    ],
)
def test_a_known_name_has_its_target(name: str, expected: Choice) -> None:
    assert route(name, OFFERS) == expected


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("embedded/smolm2", "Did you mean embedded/smollm2"),
        ("gpt-x", "Did you mean openai/gpt-x"),
        ("opnai/gpt-x", "Did you mean openai/gpt-x"),
        ("lab/", "there is no model"),
        ("", "there is no model"),
        ("/", "there is no model"),
        ("zzz", "there is no model"),
    ],
)
def test_an_unknown_name_is_not_found_with_near_names(name: str, near: str) -> None:
    with pytest.raises(NotFound) as caught:
        route(name, OFFERS)
    assert near in caught.value.message
    assert caught.value.reason == "MODEL_NOT_FOUND"


@pytest.mark.parametrize(
    ("chosen", "environment", "expected"),
    [("a/b", "openai/c", "a/b"), ("", "openai/c", "openai/c"), ("", "", "embedded/smollm2")],
)
def test_the_default_is_the_chosen_else_the_environments_else_the_embedded(
    chosen: str, environment: str, expected: str
) -> None:
    assert pick_default(chosen, environment, OFFERS) == expected
    assert alias("models/default", expected) == expected


def test_without_any_provider_the_default_stands_for_nothing() -> None:
    assert pick_default("", "", []) == ""
    with pytest.raises(NotFound, match="no provider"):
        alias("default", "")
