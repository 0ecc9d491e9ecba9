"""The smallest value that keeps to a JSON schema, as far as the tests' schemas go."""

from collections.abc import Mapping
from typing import Any

_BLANK: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "null": None}


def instance(schema: Mapping[str, Any]) -> Any:
    """Give one."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: instance(part) for name, part in schema.get("properties", {}).items()}
    return _BLANK.get(str(schema.get("type")))
