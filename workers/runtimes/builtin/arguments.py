"""Tool arguments against the tool's JSON Schema."""

import json
from collections.abc import Mapping
from typing import Any

NAMES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


class BadArguments(Exception):
    """The arguments do not fit; the message says which and what would."""


def read(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Parse what a model wrote as arguments and check it. Raises BadArguments with a message for the model."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise BadArguments(
            f"the arguments are not valid JSON ({error}): {text[:120]!r}. Send one JSON object with the keys "
            f"{keys(schema)}."
        ) from error
    if not isinstance(value, dict):
        raise BadArguments(f"the arguments are {kind(value)}; send one JSON object with the keys {keys(schema)}.")
    problems = check(value, schema)
    if problems:
        raise BadArguments("; ".join(problems[:5]) + ".")
    return value


def check(value: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an object, an empty list where nothing is. Unknown keys are wrong."""
    properties = schema.get("properties", {})
    problems = [f"`{key}` is missing" for key in schema.get("required", ()) if key not in value]
    for key, item in value.items():
        if key in properties:
            problems += misfit(key, item, properties[key])
        elif schema.get("additionalProperties") is False:
            problems.append(f"`{key}` is not known; the keys are {keys(schema)}")
    return problems


def misfit(key: str, value: object, schema: Mapping[str, Any]) -> list[str]:
    """Check one value: type, enum, bounds."""
    wanted = schema.get("type")
    if wanted in NAMES and not fits(value, wanted):
        return [f"`{key}` has to be of type {wanted}, not {kind(value)}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"`{key}` has to be one of {schema['enum']}"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            return [f"`{key}` has to be at least {schema['minimum']}"]
        if value > schema.get("maximum", value):
            return [f"`{key}` has to be at most {schema['maximum']}"]
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return [f"`{key}` must not be empty"]
    return []


def fits(value: object, wanted: str) -> bool:
    """Whether a value is of a JSON type; true is no number."""
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, NAMES[wanted])  # type: ignore[arg-type]  # a table of types, some of them pairs


def kind(value: object) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "null"
    return next((name for name in NAMES if fits(value, name)), type(value).__name__)


def keys(schema: Mapping[str, Any]) -> str:
    """List a schema's keys, the required ones marked."""
    required = schema.get("required", ())
    return ", ".join(f"{key} (required)" if key in required else key for key in schema.get("properties", {})) or "none"
