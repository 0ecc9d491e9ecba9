"""How hard to think: `thinking` and `output_config.effort` to the neutral form's `reasoning_effort`, and back.

How this form says it depends on the model: Claude up to 4.5, and other makers' models behind this form, take a budget
of tokens; later ones refuse that, decide themselves how much to think, and take a word for the effort. From 4.7 on they
take no sampling settings either. Names tell the one from the other.
"""

import re
from collections.abc import Mapping
from typing import Any

from router.dialects.messages.shape import part

_CLAUDE = re.compile(r"claude", re.IGNORECASE)
_BUDGETED = re.compile(
    r"claude-(?:instant|v?[123]\b|(?:opus|sonnet|haiku)-4(?:[-.][0-5])?(?:[-@]\d{8}|-latest)?$)", re.IGNORECASE
)
_SAMPLED = re.compile(r"claude-(?:opus|sonnet|haiku)-4[-.]6\b", re.IGNORECASE)
_LEAST_BUDGET = 1024
_SHARES = {"minimal": 0.2, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95, "max": 0.95}
"""Of the answer's tokens, how many it may think with."""

_WORDS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_SAME = ("low", "medium", "high", "xhigh")
SAMPLING = ("temperature", "top_p", "top_k")


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read how hard to think. What decides itself is left to it; for `disabled` there is no word that all know."""
    word = part(body, "output_config").get("effort")
    if isinstance(word, str) and word in _WORDS:
        return {"reasoning_effort": word if word in _SAME else "xhigh"}
    budget, most = part(body, "thinking").get("budget_tokens"), body.get("max_tokens")
    if part(body, "thinking").get("type") != "enabled" or type(budget) is not int or type(most) is not int:
        return {}
    share = budget / max(most, 1)
    return {"reasoning_effort": "low" if share <= 0.35 else "medium" if share <= 0.65 else "high"}  # noqa: PLR2004 - half way between two shares


def write(word: object, model: str, most: int, *, forced: bool) -> dict[str, Any]:
    """Write how hard to think; `forced`: a tool must be called, with which no thoughts go."""
    if not isinstance(word, str):
        return {}
    if word == "none":
        return {"thinking": {"type": "disabled"}}
    if word not in _SHARES:
        return {"output_config": {"effort": word}}  # which its provider may know
    if decides(model):
        found: dict[str, Any] = {"output_config": {"effort": _WORDS[word]}}
        return found if forced else found | {"thinking": {"type": "adaptive", "display": "summarized"}}
    budget = max(_LEAST_BUDGET, int(most * _SHARES[word]))
    if forced or budget >= most:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def decides(model: str) -> bool:
    """Whether a model decides itself how much to think."""
    return bool(_CLAUDE.search(model)) and not _BUDGETED.search(model)


def samples(model: str) -> bool:
    """Whether a model takes sampling settings at all."""
    return not decides(model) or bool(_SAMPLED.search(model))
