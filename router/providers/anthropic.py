"""Anthropic, and others that speak its Messages API: keys in a header of their own, models listed in pages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from router.ask import CHAT, Ask
from router.dialects.contract import MESSAGES
from router.dialects.messages import asked
from router.gate import Gate
from router.model import Health, Profile, Spec, State
from router.providers.contract import Parts
from router.providers.manner import Fact, Plain
from router.providers.openai import OpenAI, models
from router.providers.reader import Reader, parsed, part, tokens
from router.providers.reader import ask as put
from router.refusal import Refusal
from router.wire import Request, Target

HOST = "https://api.anthropic.com"
VERSION = "2023-06-01"
PASSED = ("anthropic-beta",)
"""Headers of a caller's that say what of the API it means, and so go on."""

_MODELS = "/models?limit=1000"
_COUNT = "/messages/count_tokens"
_MOST_PAGES = 20
_REFUSED = (401, 403)
_NO_LIST = (404, 405, 501)
_OK = 200


class Claude(Plain):
    """What a list in Anthropic's form tells of its models."""

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Read the list that was asked for already."""
        del reader, names
        return {str(row.get("id")): Fact(profile(row)) for row in listed}


class Anthropic(OpenAI):
    """Offers models as its sibling does. Its base address may or may not end in /v1; none means Anthropic's own."""

    def __init__(self, spec: Spec, parts: Parts) -> None:
        super().__init__(spec, parts, Claude)
        headers = {"anthropic-version": VERSION, **({"x-api-key": spec.key} if spec.key else {})}
        base = (spec.base_url or HOST).rstrip("/").removesuffix("/v1")
        self._target = Target(f"{base}/v1", spec.key, headers=headers)

    async def target(self, ask: Ask, upstream: str, wait_seconds: float) -> tuple[Target, Gate]:
        """Say where calls go; with what its caller means by the API, where that speaks it."""
        target, gate = await super().target(ask, upstream, wait_seconds)
        if ask.headers and ask.face == MESSAGES:
            target = replace(target, headers={**target.headers, **ask.headers})
        return target, gate

    async def count(self, ask: Ask, upstream: str) -> int | None:
        """Have a request's tokens counted; None where that cannot be said in its form, or it does not answer."""
        if ask.endpoint != CHAT or self._spec.trouble:
            return None
        try:
            native = ask.native if ask.face == MESSAGES and ask.native is not None else asked.written(ask, upstream)
        except Refusal:
            return None
        said = part(await Reader(self._wire, self._target).common(_COUNT, asked.counted(native, upstream)))
        return tokens(said.get("input_tokens")) or None

    async def _list(self) -> Health:
        rows: list[dict[str, Any]] = []
        after = ""
        for _ in range(_MOST_PAGES):
            said = await put(self._wire, self._target, Request(_MODELS + after))
            if said.status in _NO_LIST:
                return await self._learn([], Health(State.READY, "it lists no models"))
            if said.status in _REFUSED:
                return Health(State.UNAVAILABLE, f"it refused the key ({said.status})" if self._spec.key else
                              f"it wants a key ({said.status})")  # fmt: skip
            page = models(said.body) if said.status == _OK and said.whole else None
            if page is None:
                return Health(State.UNAVAILABLE, f"it answered {said.status} and no list when asked for its models")
            rows += page
            last = more(said.body)
            if not last:
                break
            after = f"&after_id={quote(last, safe='')}"
        self._listed = tuple(sorted({row["id"] for row in rows}))
        return await self._learn(rows, Health(State.READY))


def more(body: bytes) -> str:
    """Give the model after which the next page of a list begins; "" where there is none."""
    value = parsed(body)
    last = value.get("last_id") if isinstance(value, dict) and value.get("has_more") is True else None
    return last if isinstance(last, str) else ""


def profile(row: Mapping[str, Any]) -> Profile:
    """Read a row of the list. Older servers tell only names: then it is known that they chat, and no more."""
    able = part(row, "capabilities")
    return Profile(
        tokens(row.get("max_input_tokens")),
        embeddings=False,
        tools=True,
        images=_able(able, "image_input"),
        json_schema=_able(able, "structured_outputs"),
        reasoning=_able(able, "thinking"),
        output_tokens=tokens(row.get("max_tokens")),
    )


def _able(able: Mapping[str, Any], name: str) -> bool | None:
    supported = part(able, name).get("supported")
    return supported if isinstance(supported, bool) else None
