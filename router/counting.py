"""How many tokens a chat request would have: as its provider counts it, else about."""

import json
from dataclasses import dataclass
from typing import Any

from router.ask import Ask
from router.providers.contract import Counts
from router.room import least
from router.routes.lineup import Lineup

_BYTES_PER_TOKEN = 4
_PER_MESSAGE = 4  # what a template puts around each
_PER_PICTURE = 1024


@dataclass(frozen=True)
class Count:
    """Tokens, and whether the provider itself counted them."""

    tokens: int
    exact: bool


async def count(lineup: Lineup, ask: Ask) -> Count:
    """Count for the first of a route's targets. Costs nothing and never raises."""
    lane = next((stop.lane for stop in lineup.stops if stop.lane is not None), None)
    if lane is not None and isinstance(lane.provider, Counts):
        found = await lane.provider.count(ask, lane.upstream)
        if found is not None:
            return Count(found, exact=True)
    return Count(about(ask), exact=False)


def about(ask: Ask) -> int:
    """Estimate: a token for every four bytes of text and of tools, a few for each message, more for each picture."""
    messages = ask.body.get("messages")
    sizes = [_size(message) for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    tools = ask.body.get("tools")
    given = sum(sizes) + (len(json.dumps(tools)) // _BYTES_PER_TOKEN if tools else 0)
    return max(given, least(ask))


def _size(message: dict[str, Any]) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    calls = message.get("tool_calls")
    size = _PER_MESSAGE + (len(json.dumps(calls)) // _BYTES_PER_TOKEN if calls else 0)
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            size += -(-len(text.encode(errors="surrogatepass")) // _BYTES_PER_TOKEN)
        elif text is None and isinstance(part, dict) and part.get("type") != "text":
            size += _PER_PICTURE
    return size
