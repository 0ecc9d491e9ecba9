"""OpenRouter: what it tells of its models, in its list itself."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

from router.model import Profile
from router.price import Price
from router.providers.manner import Fact, Plain
from router.providers.reader import Reader, part, texts, tokens
from router.providers.shape import Body, limited, thoughts_as, without

_MICRO = 1_000_000
_MOST = Decimal(1)
"""Dollars for a token or a call beyond which a price is nonsense."""


class OpenRouter(Plain):
    """Its list says all there is to know, prices as well."""

    price = Price(told=True)

    def shape(self, body: Body) -> Body:
        """Ask for the cost, and for thinking in its own words."""
        body = thoughts_as(limited(body), "reasoning")
        given = body.get("usage")
        body = {**body, "usage": {**(given if isinstance(given, dict) else {}), "include": True}}
        effort = body.get("reasoning_effort")
        if not isinstance(effort, str) or "reasoning" in body:
            return body
        return {**without(body, "reasoning_effort"), "reasoning": {"effort": effort}}

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Read the list that was asked for already."""
        del reader, names
        return {str(row.get("id")): Fact(profile(row), price=price(part(row, "pricing"))) for row in listed}


def profile(row: Mapping[str, Any]) -> Profile:
    """Read a row of `/models`. What its list of parameters leaves out none of the model's providers takes."""
    able = texts(row.get("supported_parameters"))
    reads = texts(part(row, "architecture").get("input_modalities"))
    writes = texts(part(row, "architecture").get("output_modalities"))
    tools = None if able is None else "tools" in able
    chats = writes is None or "text" in writes
    return Profile(
        tokens(row.get("context_length")),
        tool_choice="EMBEDDING" if chats and tools is False else "NATIVE",
        chat=chats,
        embeddings=None if writes is None else "embeddings" in writes,
        tools=tools,
        images=None if reads is None else "image" in reads,
        json_schema=None if able is None else "structured_outputs" in able,
        reasoning=None if able is None else bool(able & {"reasoning", "include_reasoning"}),
        output_tokens=tokens(part(row, "top_provider").get("max_completion_tokens")),
    )


def price(said: Mapping[str, Any]) -> Price:
    """Read dollars for a token, which are texts; unknown where one is missing, or -1: it depends on the choice.

    Whatever it is, an answer tells what it cost.
    """
    given, made, call = (_dollars(said.get(name)) for name in ("prompt", "completion", "request"))
    if given is None or made is None:
        return Price(told=True)
    cached, written = _dollars(said.get("input_cache_read")), _dollars(said.get("input_cache_write"))
    return Price(
        _micro(given * _MICRO),
        _micro(made * _MICRO),
        cached_microusd_per_million=None if cached is None else _micro(cached * _MICRO),
        written_microusd_per_million=None if written is None else _micro(written * _MICRO),
        call_microusd=_micro(call or Decimal(0)),
        source="openrouter",
        told=True,
    )


def _dollars(said: Any) -> Decimal | None:
    if not isinstance(said, str | int | float) or isinstance(said, bool):
        return None
    try:
        found = Decimal(str(said))
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 <= found <= _MOST else None


def _micro(dollars: Decimal) -> int:
    return int((dollars * _MICRO).to_integral_value(ROUND_CEILING))
