"""What makes a call dearer than its model's price tells, so that no budget would hold: refused."""

from collections.abc import Mapping
from typing import Any

from router.dialects.messages.shape import part
from router.refusal import Refusal

_USUAL = {"speed": "standard", "inference_geo": "global"}
"""What is priced as listed; any other speed or place is not."""

_CHEAPER = "clear_"
"""How edits of a conversation begin that leave something out; others have the model read it once more."""


def check(body: Mapping[str, Any]) -> None:
    """Raise Refusal (400) for a request that asks for such a thing."""
    for name, usual in _USUAL.items():
        if body.get(name) not in (None, usual):
            raise _dear(f"{name} other than {usual!r}", name)
    edits = part(body, "context_management").get("edits")
    for index, edit in enumerate(edits if isinstance(edits, list) else ()):
        if not str(part({"it": edit}, "it").get("type")).startswith(_CHEAPER):
            at = f"context_management.edits.{index}.type"
            raise _dear("an edit that does more than leave something out", at)


def _dear(what: str, param: str) -> Refusal:
    message = f"{param}: {what} costs more than the model's price tells, so that no budget could hold"
    return Refusal(400, "unsupported_parameter", message, param)
