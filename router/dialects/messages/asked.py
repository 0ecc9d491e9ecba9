"""A whole request: this form's read into the neutral one, and the neutral one written in this form."""

from collections.abc import Mapping
from typing import Any

from router.ask import CHAT, Ask, decode, head
from router.dialects.contract import MESSAGES
from router.dialects.messages import settings, thoughts, tools, turns
from router.dialects.messages.reach import Reach
from router.refusal import bad_request

PATH = "/messages"
_COUNTED = ("messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")


def parse(raw: bytes, *, counts: bool = False) -> Ask:
    """Read a request's body; `counts`: its tokens are to be counted, so that it names no limit. Raises Refusal."""
    body = decode(raw)
    model, stream = head(body, ":")
    limit = body.get(settings.LIMIT)
    if (limit is None and not counts) or (limit is not None and (type(limit) is not int or limit < 0)):
        message = "a whole number is required" if limit is None else "must be a whole number"
        raise bad_request(f"{settings.LIMIT}: {message}", settings.LIMIT)
    reach = Reach()
    neutral = {"model": model, "messages": turns.read(body, reach), **settings.read(body, reach)}
    neutral |= tools.read(body, reach)
    return Ask(
        CHAT,
        model,
        neutral,
        len(raw),
        stream,
        include_usage=True,
        face=MESSAGES,
        native=body,
        limit=settings.LIMIT if limit else "",  # a call that makes nothing stays one
        only=reach.refusal,
        unbounded=reach.unbounded,
    )


def written(ask: Ask, model: str) -> dict[str, Any]:
    """Write a neutral request. Raises Refusal (400) for what cannot be said in this form."""
    conversation = turns.write(ask.body, settings.said(ask.body))
    offered = tools.write(ask.body, turns.names(conversation["messages"]))
    said = settings.write(ask.body, model, forced=tools.forced(offered))
    return {"model": model, **said, **conversation, **offered}


def own(native: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Give a caller's own request to a provider of this form: as it is, but for the model's name.

    Thoughts that came from a provider of another form are left out: this form's refuse them.
    """
    given = native.get("messages")
    turns = given if isinstance(given, list) else []
    if not any(thoughts.lent(block) for turn in turns for block in _blocks(turn)):
        return {**native, "model": model}
    kept = [{**turn, "content": _kept(turn)} if _blocks(turn) else turn for turn in turns]
    return {**native, "model": model, "messages": [turn for turn in kept if turn.get("content") != []]}


def counted(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Give the request of which the tokens are to be counted: a provider takes nothing else with it."""
    return {"model": model, **{name: request[name] for name in _COUNTED if request.get(name) is not None}}


def _blocks(turn: object) -> list[Any]:
    content = turn.get("content") if isinstance(turn, Mapping) else None
    return content if isinstance(content, list) else []


def _kept(turn: Mapping[str, Any]) -> list[Any]:
    return [block for block in _blocks(turn) if not thoughts.lent(block)]
