import json
from typing import Any

import pytest

from signet.policy.decision import GrantView
from signet.policy.model import Commands, Policy
from workers.gate import ALLOW, ARGUMENTS_BYTES, Verdict, decide, judge, parse, problem

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "lines": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "nested": {"type": "object", "properties": {"x": {"type": ["number", "null"]}}, "required": ["x"]},
    },
    "required": ["path"],
    "additionalProperties": False,
}
OFFERED: dict[str, dict[str, Any]] = {"read": SCHEMA, "free": {"type": "object"}}


def verdict(tool: str, arguments: dict[str, Any]) -> str:
    call = parse({"id": "1", "tool": tool, "arguments": arguments})
    assert call
    decided = decide(call, OFFERED)
    assert decided.allowed == (decided.reason == ALLOW)
    return decided.reason


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "x"},
        {"path": "x", "lines": 9, "mode": "b", "tags": ["t"], "nested": {"x": None}},
        {"path": "x", "lines": 3.0},
        {"path": "x", "nested": {"x": 1.5, "more": True}},
    ],
)
def test_a_call_that_keeps_its_schema_is_allowed(arguments: dict[str, Any]) -> None:
    assert verdict("read", arguments) == "allow"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "arguments.path is missing"),
        ({"path": 1}, "arguments.path must be of type string"),
        ({"path": "x", "lines": 0}, "arguments.lines must be 1 or more"),
        ({"path": "x", "lines": 10}, "arguments.lines must be 9 or less"),
        ({"path": "x", "lines": True}, "arguments.lines must be of type integer"),
        ({"path": "x", "lines": 1.5}, "arguments.lines must be of type integer"),
        ({"path": "x", "mode": "c"}, 'arguments.mode must be one of ["a", "b"]'),
        ({"path": "x", "tags": ["t", 5]}, "arguments.tags[1] must be of type string"),
        ({"path": "x", "nested": {}}, "arguments.nested.x is missing"),
        ({"path": "x", "nested": {"x": "1"}}, "arguments.nested.x must be of type number or null"),
        ({"path": "x", "pth": "y"}, "arguments has no 'pth'"),
    ],
)
def test_a_call_that_breaks_its_schema_is_denied_and_told_where(arguments: dict[str, Any], said: str) -> None:
    reason = verdict("read", arguments)
    assert reason.startswith("denied: ")
    assert said in reason


def test_a_tool_that_is_not_offered_is_denied_and_told_what_is() -> None:
    assert verdict("exec", {}) == "denied: the tool 'exec' is not offered to this agent; offered: free, read"


def test_arguments_beyond_their_bound_are_denied() -> None:
    assert "is the most" in verdict("free", {"text": "é" * (ARGUMENTS_BYTES // 2)})
    assert verdict("free", {"text": "é" * (ARGUMENTS_BYTES // 2 - 100)}) == "allow"


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"id": "", "tool": "t", "arguments": {}},
        {"id": 1, "tool": "t", "arguments": {}},
        {"id": "x" * 201, "tool": "t", "arguments": {}},
        {"id": "a\nb", "tool": "t", "arguments": {}},
        {"id": "a", "tool": None, "arguments": {}},
        {"id": "a", "tool": "t", "arguments": []},
        {"id": "a", "tool": "t", "arguments": "{}"},
    ],
)
def test_what_is_no_tool_call_is_not_taken_for_one(frame: dict[str, Any]) -> None:
    assert parse(frame) is None


def test_arguments_are_kept_as_json_that_can_be_stored() -> None:
    call = parse({"id": "a", "tool": "t", "arguments": {"x": "\ud800ü"}})
    assert call
    assert json.loads(call.text.encode()) == {"x": "?ü"}


def test_a_schema_of_an_unknown_type_allows_nothing() -> None:
    assert problem("x", {"type": "date"}, "x") == "x must be of type date"


EXEC = {"exec": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}}
GRANT = GrantView("grants/g", "command", command="rm x", expires=1e12)
OVER = GrantView("grants/g", "command", command="rm x", expires=1.0)


def judged(command: Any, commands: Commands, *grants: GrantView, enforcement: str = "enforce") -> Verdict:
    call = parse({"id": "1", "tool": "exec", "arguments": {"command": command}})
    assert call
    return judge(call, EXEC, Policy(commands=commands, enforcement=enforcement), grants)


def test_a_command_is_reviewed_before_it_runs() -> None:
    assert judged("ls", Commands(deny=("rm *",))) == Verdict(allowed=True, reason=ALLOW)
    denied = judged("ls; rm x", Commands(deny=("rm *",)))
    assert (denied.allowed, denied.asked) == (False, None)
    assert denied.reason.startswith("denied by the agent's policy: ")
    assert "(rule commands.deny[0])" in denied.reason
    assert "a person can change the policy" in denied.reason


def test_what_breaks_the_tools_schema_is_denied_whatever_the_policy_allows() -> None:
    assert judged(["ls"], Commands()).reason.startswith("denied: arguments.command must be")


def test_a_command_that_a_person_may_let_through_says_so() -> None:
    asked = judged("rm x", Commands(ask=("rm *",)))
    assert not asked.allowed
    assert asked.asked
    assert asked.asked.rule == "commands.ask[0]"


def test_a_grant_lets_its_command_through_until_it_ends() -> None:
    assert judged("rm x", Commands(ask=("rm *",)), GRANT).allowed
    assert not judged("rm x", Commands(ask=("rm *",)), OVER).allowed
    assert not judged("rm x y", Commands(ask=("rm *",)), GRANT).allowed


def test_under_audit_what_would_be_denied_is_let_through_and_named() -> None:
    let = judged("rm x", Commands(deny=("rm *",)), enforcement="audit")
    assert (let.allowed, let.reason, let.asked) == (True, ALLOW, None)
    assert "commands.deny[0]" in let.audit


def test_tools_that_run_no_command_are_not_reviewed() -> None:
    call = parse({"id": "1", "tool": "read", "arguments": {"path": "rm x"}})
    assert call
    assert judge(call, OFFERED, Policy(commands=Commands(default="deny")), ()).allowed
