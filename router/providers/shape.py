"""How chat requests are put to servers that take OpenAI's form in their own way. Pure."""

from collections.abc import Mapping
from typing import Any

from router.ask import LIMITS

Body = dict[str, Any]

_EFFORTS: Mapping[str, str] = {"minimal": "low", "xhigh": "high", "max": "high"}
"""Words for how much to think that only OpenAI and few others know, and the nearest that all know."""

_REFUSED = (400, 422)
_USAGE = b"stream_options"


def limited(body: Body) -> Body:
    """Bound the answer by `max_tokens`, the older word, which all these servers know; of two bounds the smaller."""
    new, old = LIMITS
    if new not in body:
        return body
    said = [body[name] for name in LIMITS if type(body.get(name)) is int]
    kept = {name: value for name, value in body.items() if name != new}
    return {**kept, old: min(said)} if said else kept


def plain_roles(body: Body) -> Body:
    """Call developers `system`: templates of open models know no other word, and some drop what they do not know."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not any(map(_developers, messages)):
        return body
    return {**body, "messages": [{**each, "role": "system"} if _developers(each) else each for each in messages]}


def thoughts_as(body: Body, word: str) -> Body:
    """Give earlier thoughts back under the server's own word for them: under the other one it would not see them."""
    messages = body.get("messages")
    other = "reasoning" if word == "reasoning_content" else "reasoning_content"

    def foreign(message: Any) -> bool:
        return isinstance(message, Mapping) and other in message and word not in message

    if not isinstance(messages, list) or not any(map(foreign, messages)):
        return body
    return {**body, "messages": [_renamed(each, other, word) if foreign(each) else each for each in messages]}


def common_effort(body: Body) -> Body:
    """Say how much to think in words that are known."""
    effort = body.get("reasoning_effort")
    known = _EFFORTS.get(effort) if isinstance(effort, str) else None
    return {**body, "reasoning_effort": known} if known else body


def templated_effort(body: Body) -> Body:
    """Say to the model's template, too, how much to think, and that it shall not: where templates know words for it."""
    effort = body.get("reasoning_effort")
    if not isinstance(effort, str):
        return body
    given = body.get("chat_template_kwargs")
    words = {"enable_thinking": False} if effort == "none" else {"reasoning_effort": effort}
    return {**body, "chat_template_kwargs": {**words, **(given if isinstance(given, Mapping) else {})}}


def without(body: Body, name: str) -> Body:
    """Leave a field out."""
    return {key: value for key, value in body.items() if key != name} if name in body else body


def refuses_usage(status: int, body: bytes) -> bool:
    """Whether an endpoint refused a request for no more than that a stream was asked for its usage.

    It says so by naming the field. Nothing was generated yet, so the same request can be put again without it at no
    cost; and nothing else is ever left out that a caller asked for: that would be another request.
    """
    return status in _REFUSED and _USAGE in body


def _renamed(message: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in message.items()}


def _developers(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "developer"
