"""Filling a tool's arguments in from the user's own words, for models that cannot call tools."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.runtimes.builtin import arguments, spans
from workers.runtimes.builtin.frames import Output
from workers.runtimes.builtin.model import Model
from workers.runtimes.builtin.shots import SHOTS
from workers.runtimes.builtin.task import Tool

ANSWER_TOKENS = 160
ORDERED = ("old_text", "new_text")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?![\w.])")


class Missing(Exception):
    """The user's words do not say an argument: ask for it. `key` names it."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True)
class Filler:
    """Asks a model to choose, for each argument, among what the words allow."""

    model: Model
    output: Output

    def fill(self, tool: Tool, text: str) -> dict[str, Any]:
        """Return checked arguments. Raises Missing."""
        choices = possible(tool, text)
        values = {key: options[0] for key, options in choices.items() if len(options) == 1}
        if len(values) < len(choices):
            values = self._ask(tool, text, choices)
        again = twice(values)
        fewer = [option for option in choices.get(again, ()) if option not in values.values()]
        if fewer:
            fixed = {key: [value] for key, value in values.items() if key != again}
            values = self._ask(tool, text, {**fixed, again: fewer})
        values = in_order(values, text)
        problems = arguments.check(values, tool.parameters)
        wrong = next((key for key in choices if any(f"`{key}`" in problem for problem in problems)), twice(values))
        if wrong:
            raise Missing(wrong)
        return values

    def _ask(self, tool: Tool, text: str, choices: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        schema = {
            "type": "object",
            "properties": {key: {"enum": list(options)} for key, options in choices.items()},
            "required": list(choices),
            "additionalProperties": False,
        }
        body = {
            "messages": messages(tool, text, list(choices)),
            "temperature": 0,
            "max_tokens": ANSWER_TOKENS,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": tool.name, "schema": schema, "strict": True},
            },
        }
        reply = self.model.complete(body, self.output)
        try:
            values = arguments.read(reply.content(), schema)
        except arguments.BadArguments as error:
            raise Missing(next(iter(choices))) from error
        return values


def possible(tool: Tool, text: str) -> dict[str, list[Any]]:
    """Return what each argument can be: the required ones, and an optional path where one is said. Raises Missing."""
    required = tool.parameters.get("required", ())
    properties = tool.parameters.get("properties", {})
    places = [place for key in required if is_path(key) for place in spans.paths(text)]
    avoid = places if len(places) == 1 else []
    choices: dict[str, list[Any]] = {}
    for key, schema in properties.items():
        if key not in required and not is_path(key):
            continue
        options = spans.paths(text, folder=True) if key not in required else said(key, schema, text, avoid)
        if options:
            choices[key] = list(options)
        elif key in required:
            raise Missing(key)
    return choices


def said(key: str, schema: Mapping[str, Any], text: str, avoid: Sequence[str]) -> Sequence[Any]:
    """Return the values of one argument that the text can mean."""
    if "enum" in schema:
        return list(schema["enum"])
    kind = schema.get("type", "string")
    if kind == "boolean":
        return [True, False]
    if kind in ("integer", "number"):
        return [int(number) for number in NUMBER.findall(text)]
    if kind != "string":
        return []
    if is_path(key):
        return spans.paths(text)
    if key == "command":
        return spans.commands(text)
    return spans.texts(text, avoid, parts=key in ORDERED)


def is_path(key: str) -> bool:
    """Whether an argument is a path, by its name."""
    return key == "path" or key.endswith("_path")


def twice(values: Mapping[str, Any]) -> str:
    """Return the key of a text that another argument is too, which no tool has use for; empty where there is none."""
    seen: list[str] = []
    for key, value in values.items():
        if isinstance(value, str) and value in seen:
            return key
        seen.append(str(value))
    return ""


def in_order(values: dict[str, Any], text: str) -> dict[str, Any]:
    """Put an old and a new text in the order in which they are said: the old first, except with "instead of"."""
    old, new = (values.get(key) for key in ORDERED)
    if not isinstance(old, str) or not isinstance(new, str):
        return values
    backwards = " instead of " in text or " rather than " in text
    if (text.find(old) > text.rfind(new)) != backwards:
        return {**values, ORDERED[0]: new, ORDERED[1]: old}
    return values


def messages(tool: Tool, text: str, keys: Sequence[str]) -> list[dict[str, str]]:
    """Return the request: what to do, three answered examples, the user's words."""
    told = [{"role": "system", "content": f"Copy the arguments of {tool.name} out of the request. Answer with JSON."}]
    for asked, answer in SHOTS.get(tool.name, ()):
        chosen = {key: answer[key] for key in keys if key in answer}
        told.append({"role": "user", "content": asked})
        told.append({"role": "assistant", "content": json.dumps(chosen)})
    return [*told, {"role": "user", "content": text[:1000]}]
