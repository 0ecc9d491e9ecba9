"""Thoughts: blocks of thinking to the neutral form's fields, and back.

Neutral: `reasoning_content` is what the model thought, as text; `reasoning_details` is what has to be given back to its
provider untouched, a list of objects each with the `format` of whoever can read it. What other providers need back is
given to a caller of this form as a block's signature, and found again in it.
"""

from collections.abc import Mapping
from typing import Any

from router.dialects.messages.shape import text
from router.dialects.responses.thoughts import details, packed, said, unpacked

__all__ = ["FORMAT", "detail", "details", "lent", "own", "packed", "read", "said", "shown", "write"]

FORMAT = "anthropic-claude-v1"
"""The format of details that this form's own providers gave."""

_FOREIGN = "signet."
_BREAK = "\n\n"


def read(blocks: list[dict[str, Any]], at: str) -> dict[str, Any]:
    """Read the thoughts among blocks. Raises Refusal (400)."""
    words: list[str] = []
    kept: list[dict[str, Any]] = []
    for block in blocks:
        if block.get("type") == "thinking":
            thought = text(block, "thinking", at)
            words += [thought] if thought else []
            kept += _signed(thought, block.get("signature"), at)
        elif block.get("type") == "redacted_thinking":
            kept.append({"type": "reasoning.encrypted", "data": text(block, "data", at), "format": FORMAT})
    found: dict[str, Any] = {"reasoning_content": _BREAK.join(words)} if words else {}
    return found | ({"reasoning_details": kept} if kept else {})


def detail(thought: str, signature: str) -> dict[str, Any]:
    """Make the neutral detail of a thought that its provider signed."""
    return {"type": "reasoning.text", "text": thought, "signature": signature, "format": FORMAT}


def write(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write what a provider of this form signed, for it to have back; it refuses all other thoughts."""
    return [block for each in details(message) if own(each) and (block := _block(each))]


def shown(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write a neutral message's thoughts for a caller: signed by whom they came from, if they were."""
    given = details(message)
    made = [block for each in given if own(each) and (block := _block(each))]
    words, foreign = said(message), [each for each in given if not own(each)]
    if not any(block["type"] == "thinking" for block in made) and (words or foreign):
        made.insert(0, {"type": "thinking", "thinking": words, "signature": packed(foreign) if foreign else ""})
    return made


def own(each: Mapping[str, Any]) -> bool:
    """Whether a detail is of this form: some servers do not say of which form theirs are."""
    return each.get("format") in (FORMAT, None)


def lent(block: object) -> bool:
    """Whether a block is a thought that no provider of this form had, so that each of them would refuse it."""
    if not isinstance(block, Mapping) or block.get("type") != "thinking":
        return False
    signature = block.get("signature")
    return not signature or (isinstance(signature, str) and signature.startswith(_FOREIGN))


def _signed(thought: str, signature: object, at: str) -> list[dict[str, Any]]:
    if not isinstance(signature, str) or not signature:
        return []
    if signature.startswith(_FOREIGN):
        return unpacked({"encrypted_content": signature}, at)
    return [detail(thought, signature)]


def _block(each: Mapping[str, Any]) -> dict[str, Any] | None:
    if isinstance(each.get("signature"), str):
        return {"type": "thinking", "thinking": str(each.get("text") or ""), "signature": each["signature"]}
    if isinstance(each.get("data"), str):
        return {"type": "redacted_thinking", "data": each["data"]}
    return None
