"""Models, listed as the Messages API's clients expect them."""

from collections.abc import Mapping
from typing import Any

_UNKNOWN = "1970-01-01T00:00:00Z"


def written(found: Mapping[str, Any]) -> dict[str, Any]:
    """Write OpenAI's list of models, or one of them, in this form; a list is always whole."""
    if found.get("object") != "list":
        name = found["id"]
        return {"type": "model", "id": name, "display_name": name, "created_at": _UNKNOWN, "lifecycle": "active"}
    rows = [written(each) for each in found["data"]]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {"first_id": None, "last_id": None}
    return {"data": rows, "has_more": False, **ends}
