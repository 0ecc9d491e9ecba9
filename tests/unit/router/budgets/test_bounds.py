"""Periods, subjects, worst cases and prices, as tables: nothing of them asks anybody."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ask import CHAT, EMBEDDINGS, Ask, parse
from router.authorise import Identity
from router.budgets.budget import COST, REQUESTS, TOKENS, Budget, text
from router.budgets.estimate import Ceiling, Estimate, bound, limit_field
from router.budgets.period import DAY, MONTH, PERIODS, WHOLE, reset, start, window
from router.budgets.subjects import Subjects
from router.model import Spec
from router.price import FREE, UNKNOWN, Price, Tier, at_tier, cost, most
from router.prices.book import Book
from router.prices.catalogue import Catalogue
from router.usage import Usage, read

PRICE = Price(1_000_000, 3_000_000, cached_microusd_per_million=100_000)
CEILING = Ceiling(0, 4096, 600)


def micros(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc] # year to second


@pytest.mark.parametrize(
    ("period", "when", "name", "ends"),
    [
        (DAY, (2026, 11, 21, 23, 59, 59), "2026-11-21", (2026, 11, 22)),
        (DAY, (2026, 11, 22), "2026-11-22", (2026, 11, 23)),
        (DAY, (2028, 2, 29, 12), "2028-02-29", (2028, 3, 1)),
        (MONTH, (2026, 12, 31, 23, 59, 59), "2026-12", (2027, 1, 1)),
        (MONTH, (2027, 1, 1), "2027-01", (2027, 2, 1)),
        (MONTH, (2028, 2, 29), "2028-02", (2028, 3, 1)),
    ],
)
def test_a_window_ends_at_midnight_or_on_the_first(
    period: str, when: tuple[int, ...], name: str, ends: tuple[int, ...]
) -> None:
    assert window(period, micros(*when)) == name
    assert reset(period, micros(*when)) == micros(*ends)


@given(st.sampled_from(PERIODS), st.integers(-(1 << 62), 1 << 62), st.integers(0, 1 << 50))
def test_every_time_has_one_window_and_windows_do_not_overlap(period: str, time: int, later: int) -> None:
    ends = reset(period, time)
    if period == WHOLE:
        assert (window(period, time), start(period, time), ends) == ("", 0, None)
    elif ends is not None and 0 <= time < micros(9999, 1, 1):
        assert start(period, time) <= time < ends
        assert window(period, start(period, time)) == window(period, ends - 1) == window(period, time)
        assert window(period, ends) > window(period, time)
        assert window(period, time + later) >= window(period, time)


RUN = Identity("runs/r", "runs/r", "agents/a", "sessions/s")
PERSON = Identity("tokens/t")


@pytest.mark.parametrize(
    ("subject", "who", "target", "counts_for"),
    [
        ("", RUN, "providers/p", ""),
        ("", PERSON, "apis/x", ""),
        ("agents/a", RUN, "providers/p", "agents/a"),
        ("agents/-", RUN, "providers/p", "agents/a"),
        ("agents/-", PERSON, "providers/p", None),
        ("agents/b", RUN, "providers/p", None),
        ("sessions/-", RUN, "providers/p", "sessions/s"),
        ("sessions/s", RUN, "providers/p", "sessions/s"),
        ("runs/-", RUN, "providers/p", "runs/r"),
        ("runs/r", RUN, "providers/p", "runs/r"),
        ("runs/-", PERSON, "providers/p", None),
        ("tokens/t", PERSON, "providers/p", "tokens/t"),
        ("tokens/t", RUN, "providers/p", None),
        ("providers/p", PERSON, "providers/p", "providers/p"),
        ("providers/p", PERSON, "apis/p", None),
        ("apis/x", RUN, "apis/x", "apis/x"),
    ],
)
def test_a_call_counts_to_what_it_is_of(subject: str, who: Identity, target: str, counts_for: str | None) -> None:
    budget = Budget("b", subject)
    found = Subjects([budget, Budget("other", "agents/other")]).of(who, target)
    assert found == ([] if counts_for is None else [(budget, counts_for)])


def test_only_hard_budgets_of_money_or_tokens_need_a_bound() -> None:
    binding = [Subjects([budget]).bind(RUN, "providers/p") for budget in (
        Budget("a"), Budget("b", measure=TOKENS), Budget("c", measure=REQUESTS), Budget("d", soft=True),
        Budget("e", "agents/other"),
    )]  # fmt: skip
    assert binding == [True, True, False, False, False]


def ask(body: dict[str, Any], *, size: int = 200, endpoint: str = CHAT) -> Ask:
    return Ask(endpoint, "p/m", body, size, stream=False, include_usage=False)


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ({"max_tokens": 10}, 10),
        ({"max_completion_tokens": 20}, 20),
        ({"max_completion_tokens": 20, "max_tokens": 30}, 30),
        ({"max_tokens": 10, "n": 3}, 30),
        ({"max_tokens": 10, "n": 0}, 10),
        ({"max_tokens": 10, "n": "3"}, 10),
        ({}, 4096),
        ({"max_tokens": None}, 4096),
        ({"max_tokens": -1}, 4096),
        ({"max_tokens": True}, 4096),
        ({"max_tokens": "100"}, 4096),
        ({"max_tokens": 1e9}, 4096),
        ({"max_tokens": 1 << 70}, 4096),
    ],
)
def test_what_a_call_may_generate_is_bounded_and_said_to_the_provider(body: dict[str, Any], made: int) -> None:
    same, estimate = bound(ask(body), PRICE, CEILING, put=False)
    assert same.body == body
    assert (estimate.input_tokens, estimate.output_tokens) == (200, made)
    assert estimate.cost_microusd == 200 + 3 * made
    sent, again = bound(ask(body), PRICE, CEILING, put=True)
    assert again == estimate
    assert sent.body == (body if made != 4096 else {"max_tokens": 4096})


def test_the_context_bounds_what_is_read_and_made() -> None:
    small = Ceiling(100, 4096, 0.5)
    _, estimate = bound(ask({"max_tokens": 5_000, "n": 2}), PRICE, small, put=True)
    assert (estimate.input_tokens, estimate.output_tokens, estimate.seconds) == (100, 200, 1)


def test_pictures_count_and_embeddings_make_nothing() -> None:
    parts = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": "https://x/y"}}, "?"]
    body = {"messages": [{"role": "user", "content": parts}, "no message"], "max_tokens": 1}
    assert bound(ask(body), PRICE, CEILING, put=False)[1].input_tokens == 200 + 2 * 8192
    assert bound(ask({"input": "x"}, endpoint=EMBEDDINGS), PRICE, CEILING, put=True)[1].output_tokens == 0


def test_the_field_for_a_limit_is_the_one_that_the_provider_takes() -> None:
    fields = [limit_field(url) for url in (
        "https://api.openai.com/v1", "https://x.openai.azure.com/v1", "http://127.0.0.1:8080/v1", "",
    )]  # fmt: skip
    assert fields == ["max_completion_tokens", "max_completion_tokens", "max_tokens", "max_tokens"]


def test_only_an_estimate_is_kept_within_the_worst_case() -> None:
    estimate = Estimate(1, 10, 20, 1)
    assert estimate.within(Usage(99, 99, estimated=True)) == Usage(10, 20, estimated=True)
    assert estimate.within(Usage(99, 99)) == Usage(99, 99)


TIERED = Price(1_000_000, 2_000_000, 500_000, 3_000_000, 7, (Tier(1_000, 4_000_000, 6_000_000, 2_000_000),))
WRITTEN = Price(
    8_000_000, 0, 1_000_000, 16_000_000, 0, (Tier(1_000, 16_000_000, 0, 2_000_000, 20_000_000),), "user", 10_000_000
)


@pytest.mark.parametrize(
    ("price", "usage", "expected"),
    [
        (PRICE, Usage(10, 10), 40),
        (PRICE, Usage(10, 0, cached_tokens=10), 1),
        (PRICE, Usage(1, 0, cached_tokens=1), 1),
        (Price(1, 1), Usage(1, 1), 1),
        (Price(1_000_000, 1_000_000), Usage(10, 0, cached_tokens=4), 10),
        (TIERED, Usage(1_000, 1), 1_000 + 2 + 7),
        (TIERED, Usage(1_001, 1), 4_004 + 6 + 7),
        (TIERED, Usage(1_001, 0, cached_tokens=1_001), 2_002 + 7),
        (WRITTEN, Usage(10, 0, cached_tokens=2, cache_write_tokens=5), 3 * 8 + 2 * 1 + 5 * 10),
        (WRITTEN, Usage(10, 0, cache_write_tokens=5, cache_write_1h_tokens=4), 5 * 8 + 10 + 4 * 16),
        (WRITTEN, Usage(2_000, 0, cache_write_tokens=2_000), 2_000 * 20),
        (TIERED, Usage(10, 0, cache_write_tokens=10), 30 + 7),
        (Price(1_000_000), Usage(10, 0, cache_write_tokens=10, cache_write_1h_tokens=10), 10),
        (FREE, Usage(10, 10), 0),
        (UNKNOWN, Usage(10, 10), None),
        (UNKNOWN, Usage(0, 0), 0),
        (Price(1_000_000), Usage(10, 1), None),
        (Price(1_000_000), Usage(10, 0), 10),
    ],
)
def test_a_cost_is_whole_rounded_up_and_unknown_where_a_price_is(
    price: Price, usage: Usage, expected: int | None
) -> None:
    assert cost(price, usage) == expected


@given(
    st.builds(Price, *[st.integers(0, 10**8)] * 2, st.none() | st.integers(0, 10**8), st.none() | st.integers(0, 10**8),
              st.integers(0, 100), st.lists(st.builds(Tier, st.integers(0, 2_000), *[st.integers(0, 10**8)] * 2,
                                                      st.none(), st.none() | st.integers(0, 10**8)),
                                            max_size=2).map(tuple), st.just("user"),
              st.none() | st.integers(0, 10**8)),
    st.tuples(*[st.integers(0, 3_000)] * 5), st.tuples(*[st.integers(0, 3_000)] * 2),
)  # fmt: skip
def test_no_call_costs_more_than_its_worst_case(
    price: Price, used: tuple[int, int, int, int, int], more: tuple[int, int]
) -> None:
    read, made, cached, wrote, long = used
    cached = min(cached, read)
    wrote = min(wrote, read - cached)
    said = Usage(read, made, cached, cache_write_tokens=wrote, cache_write_1h_tokens=min(long, wrote))
    paid = cost(price, said)
    worst = most(price, read + more[0], made + more[1])
    assert paid is not None
    assert worst is not None
    assert paid <= worst


def test_what_was_written_into_a_cache_is_read_as_part_of_the_input() -> None:
    said = {"prompt_tokens": 9, "completion_tokens": 0}
    details = {"cached_tokens": 4, "cache_write_tokens": 3}
    assert read({**said, "prompt_tokens_details": details}) == Usage(9, 0, 4, cache_write_tokens=3)
    details = {"cached_tokens": 4, "cache_creation_tokens": 30}
    assert read({**said, "prompt_tokens_details": details}) == Usage(9, 0, 4, cache_write_tokens=5)


def test_what_providers_ask_for_writing_into_their_cache_is_known() -> None:
    price = Catalogue().price("https://api.anthropic.com", "claude-3-5-haiku-latest", 1_795_262_400_000_000)
    found = (price.input_microusd_per_million, price.cache_write_microusd_per_million)
    assert (*found, price.written_microusd_per_million) == (800_000, 1_000_000, 1_600_000)


def test_amounts_are_written_for_people() -> None:
    assert [text(COST, amount) for amount in (0, 1, 1_500_000, 12_345_678)] == ["$0.00", "$0.000001", "$1.50",
                                                                               "$12.345678"]  # fmt: skip
    assert [text(measure, 3) for measure in (TOKENS, REQUESTS, "SECONDS")] == ["3 tokens", "3 requests", "3 s"]


def spec(url: str, price: Price = UNKNOWN) -> Spec:
    return Spec(id="p", kind="OPENAI", base_url=url, price=price)


async def test_a_price_is_the_users_else_the_public_one_else_unknown() -> None:
    book = Book(lambda: micros(2026, 11, 21))
    assert await book.price(spec("https://api.openai.com/v1", Price(5, 6)), "gpt-4o-mini") == Price(5, 6, source="user")
    listed = await book.price(spec("https://api.openai.com/v1"), "gpt-4o-mini")
    assert (listed.input_microusd_per_million, listed.output_microusd_per_million) == (150_000, 600_000)
    assert listed.cached_microusd_per_million == 75_000
    assert listed.source.startswith("genai-prices ")
    claude = await book.price(spec("https://api.anthropic.com/v1"), "claude-sonnet-4-5")
    assert claude.written_microusd_per_million is not None
    assert claude.written_microusd_per_million > (claude.input_microusd_per_million or 0)
    assert claude.tiers
    assert await book.price(spec("https://api.openai.com/v1"), "no-such-model") == UNKNOWN
    assert await book.price(spec("https://models.example.org/v1"), "gpt-4o-mini") == UNKNOWN
    assert await book.price(spec("http://127.0.0.1:8080/v1"), "gpt-4o-mini") == UNKNOWN
    assert (await book.price(Spec(id="embedded", kind="EMBEDDED", price=FREE), "smollm2")).source == "free"


@pytest.mark.parametrize(
    ("tier", "price", "found"),
    [
        (None, PRICE, PRICE),
        ("auto", PRICE, PRICE),
        ("flex", PRICE, PRICE),
        ("priority", PRICE, UNKNOWN),
        ("scale", PRICE, UNKNOWN),
        (["priority"], PRICE, UNKNOWN),
        ("priority", FREE, FREE),
    ],
)
def test_a_dearer_tier_has_no_known_price(tier: object, price: Price, found: Price) -> None:
    assert at_tier(price, tier) == found


@pytest.mark.parametrize(
    ("part", "unbounded"),
    [
        ({"type": "file", "file": {"file_id": "file-1"}}, True),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}, True),
        ({"type": "text", "text": 'a "file"'}, False),
        ({"type": "image_url", "image_url": {"url": "https://example.org/file"}}, False),
    ],
)
def test_of_a_document_the_size_says_nothing(part: dict[str, Any], *, unbounded: bool) -> None:
    asked = {"model": "acme/large", "messages": [{"role": "user", "content": [part]}], "max_tokens": 10}
    ask = parse(CHAT, json.dumps(asked).encode())

    _, estimate = bound(ask, PRICE, Ceiling(100_000, 4096, 600), put=False)

    assert ask.unbounded is unbounded
    assert (estimate.input_tokens == 100_000) is unbounded


def test_a_document_is_one_however_its_type_is_written() -> None:
    part = r'{"type": "\u0066ile", "\u0066ile": {"file_id": "file-1"}}'
    raw = f'{{"model": "acme/large", "messages": [{{"role": "user", "content": [{part}]}}]}}'
    assert parse(CHAT, raw.encode()).unbounded
