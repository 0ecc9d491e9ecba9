"""The shape of what was given, checked where it is read. Paths are those of this form: `messages.0.content.1`."""

from collections.abc import Mapping
from typing import Any

from router.refusal import bad_request


def listed(value: object, at: str) -> list[dict[str, Any]]:
    """Check that it is a list of objects. Raises Refusal (400)."""
    if not isinstance(value, list):
        raise bad_request(f"{at}: must be a list", at)
    for index, each in enumerate(value):
        if not isinstance(each, dict):
            raise bad_request(f"{at}.{index}: must be an object", f"{at}.{index}")
    return value


def blocks(value: object, at: str) -> list[dict[str, Any]]:
    """Check that it is a list of objects with a type. Raises Refusal (400)."""
    for index, each in enumerate(listed(value, at)):
        if not isinstance(each.get("type"), str):
            raise bad_request(f"{at}.{index}.type: must be a text", f"{at}.{index}.type")
    return list(value) if isinstance(value, list) else []


def text(value: Mapping[str, Any], field: str, at: str) -> str:
    """Give a field that must be a text. Raises Refusal (400)."""
    found = value.get(field)
    if not isinstance(found, str):
        raise bad_request(f"{at}.{field}: must be a text", f"{at}.{field}")
    return found


def part(value: object, name: str) -> Mapping[str, Any]:
    """Give an object within another; an empty one where there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def marked(value: Mapping[str, Any]) -> dict[str, Any]:
    """Give the mark of where a prompt's cached beginning ends, if it is there."""
    mark = value.get("cache_control")
    return {"cache_control": mark} if isinstance(mark, Mapping) else {}
