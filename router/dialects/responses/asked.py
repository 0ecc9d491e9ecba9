"""A request of this form, read into the neutral one. Native settings stay beside it, for providers of this form."""

from typing import Any

from router.ask import CHAT, Ask, decode, head
from router.dialects.responses import items, settings, tools
from router.dialects.responses.reach import Reach
from router.refusal import bad_request

NAME = "responses"
_STORED = ("previous_response_id", "conversation", "prompt")


def parse(raw: bytes) -> Ask:
    """Read a request's body. Raises Refusal, which says what is wrong with it."""
    body = decode(raw)
    model, stream = head(body)
    if body.get("background"):
        message = "the router keeps no responses, so that none can be fetched later; leave out background, and stream"
        raise bad_request(message, "background")
    reach = Reach()
    neutral = {"model": model, "messages": _messages(body, reach), **settings.read(body), **_tools(body, reach)}
    if body.get("context_management"):
        reach.only("context_management", "context_management")
    if "tools" not in neutral:
        neutral.pop("parallel_tool_calls", None)  # which chat knows as little without tools as a choice among them
    if stream:
        neutral["stream"] = True
    return Ask(
        CHAT,
        model,
        neutral,
        len(raw),
        stream,
        include_usage=True,
        face=NAME,
        native=body,
        limit=settings.LIMIT,
        only=reach.refusal,
        unbounded=reach.unbounded,
    )


def _messages(body: dict[str, Any], reach: Reach) -> list[dict[str, Any]]:
    stored = [name for name in _STORED if body.get(name) is not None]
    for name in stored:
        reach.stored(name, name)
    instructions = body.get("instructions")
    if not isinstance(instructions, str | None):
        raise bad_request("instructions must be a text", "instructions")
    first = [{"role": "system", "content": instructions}] if instructions else []
    if body.get("input") is None and stored:
        return first
    return first + items.read(body.get("input"), reach)


def _tools(body: dict[str, Any], reach: Reach) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if body.get("tools") is not None and (given := tools.read(body["tools"], reach)):
        found["tools"] = given
    if body.get("tool_choice") is not None:
        choice = tools.read_choice(body["tool_choice"], reach)
        found |= {"tool_choice": choice} if found else {}
    return found
