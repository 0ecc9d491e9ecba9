"""Reasoning: items of this form to the neutral form's fields, and back.

Neutral: `reasoning_content` is what the model thought, as text; `reasoning_details` is what has to be given back to its
provider untouched, a list of objects each with the `format` of whoever can read it. A caller of this form gets details
as an item's `encrypted_content`, and gives them back in it.
"""

import json
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from typing import Any

from router.dialects.responses.parts import listed
from router.refusal import bad_request

FORMAT = "openai-responses-v1"
"""The format of details that this form's own providers gave."""

_MARK = "signet."
_BREAK = "\n\n"


def text(item: Mapping[str, Any], at: str) -> str:
    """Give what an item says of the thoughts: the text itself where there is one, else its summary."""
    for field in ("content", "summary"):
        given = item.get(field)
        found = [part.get("text") for part in listed(given, f"{at}.{field}")] if given else []
        if found:
            return _BREAK.join(said for said in found if isinstance(said, str))
    return ""


def unpacked(item: Mapping[str, Any], at: str) -> list[dict[str, Any]]:
    """Give the details that a caller gives back; none where another service encrypted them. Raises Refusal (400)."""
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not sealed.startswith(_MARK):
        return []
    try:
        found = json.loads(b64decode(sealed.removeprefix(_MARK), validate=True))
    except (Error, ValueError, RecursionError) as error:
        raise bad_request(f"{at}.encrypted_content is damaged", f"{at}.encrypted_content") from error
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def packed(details: list[dict[str, Any]]) -> str:
    """Write details so that a caller can give them back."""
    return _MARK + b64encode(json.dumps(details, separators=(",", ":")).encode()).decode()


def said(message: Mapping[str, Any]) -> str:
    """Give the thoughts' text in a neutral message or delta, whichever word its provider has for it."""
    for field in ("reasoning_content", "reasoning"):
        if isinstance(message.get(field), str):
            return str(message[field])
    return ""


def details(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the details in a neutral message or delta that somebody needs back: not those that are only text."""
    given = message.get("reasoning_details")
    if not isinstance(given, list):
        return []
    return [each for each in given if isinstance(each, dict) and (each.get("data") or each.get("signature"))]


def detail(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make the neutral detail of an item that a provider encrypted; none for one that it did not."""
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not sealed:
        return []
    found = {"type": "reasoning.encrypted", "data": sealed, "format": FORMAT}
    return [found | {"id": item["id"]}] if isinstance(item.get("id"), str) else [found]


def items(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the items by which a provider gets back what it encrypted; the text alone is nothing to it."""
    found: list[dict[str, Any]] = []
    for each in details(message):
        if each.get("format") == FORMAT and isinstance(each.get("data"), str):
            item: dict[str, Any] = {"type": "reasoning", "summary": [], "encrypted_content": each["data"]}
            found.append(item | ({"id": each["id"]} if isinstance(each.get("id"), str) else {}))
    return found
