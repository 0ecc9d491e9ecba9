"""What a call needs of a model, and whether a model has it: said before the call. Pure.

`check(ask, model, models)` gives the refusal, or None: refused is only what its endpoint said that it lacks.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from router.ask import EMBEDDINGS as EMBEDDING
from router.ask import Ask
from router.model import Model, Profile
from router.refusal import Refusal, bad_request
from router.room import excess

TOOLS, IMAGES, JSON_SCHEMA, REASONING, EMBEDDINGS = "tools", "images", "json_schema", "reasoning", "embeddings"
"""The names are those of Profile's fields."""

_WORDS = {
    EMBEDDINGS: ("does not embed", "model"),
    TOOLS: ("cannot call tools", "tools"),
    IMAGES: ("cannot see images", "messages"),
    JSON_SCHEMA: ("cannot keep to a JSON schema", "response_format"),
    REASONING: ("does not reason", "reasoning_effort"),
}
_PICTURES = ("image_url", "input_image", "image")
_NAMED = 5


def needs(ask: Ask) -> frozenset[str]:
    """Say what a call needs, from its neutral body."""
    body = ask.body
    if ask.endpoint == EMBEDDING:
        return frozenset({EMBEDDINGS})
    asked = {
        TOOLS: bool(body.get("tools") or body.get("functions")),
        IMAGES: _pictured(body.get("messages")),
        JSON_SCHEMA: _part(body, "response_format").get("type") == "json_schema",
        REASONING: _reasons(body),
    }
    return frozenset(name for name, wanted in asked.items() if wanted)


def lacks(profile: Profile, needed: Iterable[str]) -> tuple[str, ...]:
    """Say which of the needs a model does not have: only what is known to be missing, not what nobody told."""
    wanted = frozenset(needed)
    return tuple(name for name in _WORDS if name in wanted and getattr(profile, name) is False)


def check(ask: Ask, model: Model, models: Iterable[Model] = ()) -> Refusal | None:
    """Refuse (400) a call that its model cannot answer: what it lacks, or a request that is too long for certain.

    `models` are those that could be named instead; they are looked through only for a refusal.
    """
    needed = needs(ask)
    missing = lacks(model.profile, needed) if needed else ()
    if not missing:
        return excess(ask, model)
    says = " and ".join(_WORDS[name][0] for name in missing)
    return bad_request(f"models/{model.name} {says}; {instead(needed, models)}", _WORDS[missing[0]][1])


def instead(needed: frozenset[str], models: Iterable[Model]) -> str:
    """Name models that are known to have all that is needed."""
    able = sorted(model.name for model in models if all(getattr(model.profile, name) is True for name in needed))
    if not able:
        return "no model that is known can: see `signet model list`"
    more = f" and {len(able) - _NAMED} more" if len(able) > _NAMED else ""
    return f"models that can: {', '.join(f'models/{name}' for name in able[:_NAMED])}{more}"


def _pictured(messages: Any) -> bool:
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, list) and any(
            isinstance(part, Mapping) and part.get("type") in _PICTURES for part in content
        ):
            return True
    return False


def _reasons(body: Mapping[str, Any]) -> bool:
    effort = body.get("reasoning_effort") or _part(body, "reasoning").get("effort")
    return bool(effort) and effort != "none"


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}
