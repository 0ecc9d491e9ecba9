"""Whether a request fits into a model's context: known for certain before the call, or not said at all.

A bound from below, so that nothing is refused that could have been answered. In the vocabularies in use a token never
spans two words that white space parts (byte-pair encodings cut a text at white space first, SentencePiece marks it), so
a text has at least as many tokens as words; and no token is longer than 128 characters, which bounds scripts without
spaces. Counted are the texts of messages alone: not pictures, tools, or what a template puts around them.
Where a request may or may not fit and the provider has a tokenizer, that is asked: then the count is exact.
"""

from collections.abc import Iterator
from typing import Any

from router.ask import CHAT, Ask
from router.model import Model
from router.providers.contract import Counts, Provider
from router.refusal import Refusal

_LONGEST = 128  # characters of a token
_PIECE = 1 << 16  # characters that are counted at once
_LIKELY = 3  # bytes of a request for each token, in most languages more


def excess(ask: Ask, model: Model) -> Refusal | None:
    """Refuse a chat request that is longer than the model's context for certain; None where it may fit."""
    limit = model.profile.most_tokens
    if ask.endpoint != CHAT or not limit or ask.size <= 2 * limit:
        return None  # a word and what parts it from the next are two bytes
    found = least(ask, limit)
    return _refusal(model, f"at least {found:,}", limit) if found > limit else None


async def counted_excess(ask: Ask, model: Model, provider: Provider) -> Refusal | None:
    """Refuse what a provider's own tokenizer counts as longer than the context; it is asked only in doubt.

    None where it fits, or where the provider cannot count.
    """
    limit = model.profile.context_tokens
    doubtful = ask.endpoint == CHAT and 0 < limit * _LIKELY < ask.size
    if not doubtful or not isinstance(provider, Counts):
        return None
    found = await provider.count(ask, model.upstream)
    return _refusal(model, f"{found:,}", limit) if found is not None and found > limit else None


def least(ask: Ask, enough: int | None = None) -> int:
    """Give the tokens that a chat request has at least; counting may end when it is above `enough`."""
    total = 0
    for piece, cut in _pieces(ask.body.get("messages")):
        total += max(len(piece.split()), len(piece.replace(" ", "")) // _LONGEST) - cut
        if enough is not None and total > enough:
            break
    return total


def _pieces(messages: Any) -> Iterator[tuple[str, int]]:
    """Give the texts in pieces, and for each but a text's first 1: what was cut there is counted on either side."""
    for text in _texts(messages):
        yield from ((text[start : start + _PIECE], int(start > 0)) for start in range(0, len(text), _PIECE))


def _texts(messages: Any) -> Iterator[str]:
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield content
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def _refusal(model: Model, found: str, limit: int) -> Refusal:
    message = f"the request has {found} tokens, and models/{model.name} takes {limit:,}, its answer included"
    return Refusal(400, "context_length_exceeded", message, "messages")
