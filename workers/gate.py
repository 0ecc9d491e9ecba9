"""The dispatch gate: every tool call passes here before anything of it runs. What is not known is denied."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from signet.policy.commands import review
from signet.policy.decision import Decision, GrantView
from signet.policy.model import Policy

ARGUMENTS_BYTES = 1024 * 1024
ID_CHARACTERS = 200
ALLOW = "allow"
COMMANDS: Mapping[str, str] = {"exec": "command"}
"""The tools that run commands, and the argument that holds the command line."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True)
class Call:
    """A tool call as the runtime asked for it."""

    id: str
    tool: str
    arguments: Mapping[str, Any]
    text: str
    """The arguments as one line of JSON."""


@dataclass(frozen=True)
class Verdict:
    """Whether a call may run; `reason` is what the record and the model are told.

    `asked` is set on one that is denied unless a person lets this very command line through, `audit` on one that is
    let through and would be denied under enforcement.
    """

    allowed: bool
    reason: str
    asked: Decision | None = None
    audit: str = ""


def parse(frame: Mapping[str, Any]) -> Call | None:
    """Read a `tool_call` frame; None where it is not even one."""
    ident, tool, arguments = frame.get("id"), frame.get("tool"), frame.get("arguments")
    if not isinstance(ident, str) or not 0 < len(ident) <= ID_CHARACTERS or not ident.isprintable():
        return None
    if not isinstance(tool, str) or not isinstance(arguments, dict):
        return None
    text = json.dumps(arguments, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
    return Call(ident, tool[:ID_CHARACTERS], arguments, text)


def decide(call: Call, offered: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Decide on a call. `offered` maps the tools of this run to the JSON Schema of their arguments."""
    schema = offered.get(call.tool)
    if schema is None:
        known = ", ".join(sorted(offered)) or "none"
        return Verdict(
            allowed=False, reason=f"denied: the tool {call.tool!r} is not offered to this agent; offered: {known}"
        )
    size = len(call.text.encode())
    if size > ARGUMENTS_BYTES:
        return Verdict(
            allowed=False, reason=f"denied: the arguments have {size} bytes, and {ARGUMENTS_BYTES} is the most"
        )
    if wrong := problem(call.arguments, schema, "arguments"):
        return Verdict(allowed=False, reason=f"denied: {wrong}")
    return Verdict(allowed=True, reason=ALLOW)


def judge(call: Call, offered: Mapping[str, Mapping[str, Any]], policy: Policy, grants: Sequence[GrantView]) -> Verdict:
    """Decide on a call under a policy and the grants that reach it."""
    verdict = decide(call, offered)
    if not verdict.allowed or call.tool not in COMMANDS:
        return verdict
    decision = review(policy, grants, command(call), time.time())
    if decision.verdict == "audit":
        return Verdict(allowed=True, reason=ALLOW, audit=_because(decision))
    if decision.verdict == "deny":
        return Verdict(allowed=False, reason=denied(decision), asked=decision if decision.ask else None)
    return Verdict(allowed=True, reason=ALLOW)


def command(call: Call) -> str:
    """Give the command line of a call to a tool that runs one; "" for none."""
    line = call.arguments.get(COMMANDS.get(call.tool, ""))
    return line if isinstance(line, str) else ""


def denied(decision: Decision, answer: str = "") -> str:
    """Say what the policy denies and what would be right; `answer` is what came of asking a person."""
    right = decision.hint or "Do it in another way, or say what you need it for: a person can change the policy"
    asked = f" A person was asked: {answer}." if answer else ""
    return f"denied by the agent's policy: {_because(decision)}.{asked} {right}."


def _because(decision: Decision) -> str:
    return f"{decision.reason} (rule {decision.rule})"


def problem(value: Any, schema: Mapping[str, Any], where: str) -> str:
    """Say what breaks a schema: type, enum, required, unknown properties, bounds of numbers, items; "" for nothing."""
    if wrong := _type_problem(value, schema, where):
        return wrong
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} must be one of {json.dumps(schema['enum'])}"
    if isinstance(value, dict):
        return _object_problem(value, schema, where)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        found = (problem(item, schema["items"], f"{where}[{index}]") for index, item in enumerate(value))
        return next((wrong for wrong in found if wrong), "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_problem(value, schema, where)
    return ""


def _type_problem(value: Any, schema: Mapping[str, Any], where: str) -> str:
    named = schema.get("type")
    if named is None:
        return ""
    kinds = [named] if isinstance(named, str) else list(named)
    if any(_is(value, kind) for kind in kinds):
        return ""
    return f"{where} must be of type {' or '.join(kinds)}"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, ()))


def _object_problem(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> str:
    properties: Mapping[str, Any] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            return f"{where}.{name} is missing"
    for name, item in value.items():
        if name in properties:
            if wrong := problem(item, properties[name], f"{where}.{name}"):
                return wrong
        elif schema.get("additionalProperties") is False:
            return f"{where} has no {name[:ID_CHARACTERS]!r}; it has {', '.join(properties) or 'nothing'}"
    return ""


def _number_problem(value: float, schema: Mapping[str, Any], where: str) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and value < least:
        return f"{where} must be {least} or more"
    if most is not None and value > most:
        return f"{where} must be {most} or less"
    return ""
