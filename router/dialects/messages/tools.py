"""Tools and the choice among them: to the neutral form's functions, and back."""

from collections.abc import Mapping
from typing import Any

from router.dialects.messages.reach import Reach
from router.dialects.messages.shape import listed, marked, part, text
from router.refusal import Refusal, bad_request

_OWN = (None, "custom")
_CALLERS = ("bash_", "text_editor_", "computer_", "browser_", "memory_", "tool_search_tool_")
"""How types of tools begin that this form knows, and callers run; the last one looks through the tools given."""

_OPEN: dict[str, Any] = {"type": "object", "properties": {}}
_WORDS = {"auto": "auto", "any": "required", "none": "none"}
_BACK = {word: kind for kind, word in _WORDS.items()}


def read(body: Mapping[str, Any], reach: Reach) -> dict[str, Any]:
    """Read `tools` and `tool_choice`. Raises Refusal (400)."""
    ours(body)
    if body.get("tools") is None:
        return {}
    found = []
    for index, tool in enumerate(listed(body["tools"], "tools")):
        if tool.get("type") not in _OWN:
            reach.only(f"a tool of type {tool['type']!r}", f"tools.{index}.type")
            continue
        found.append(_read(tool, f"tools.{index}"))
    return {"tools": found, **_read_choice(body.get("tool_choice"))} if found else {}


def ours(body: Mapping[str, Any]) -> None:
    """Refuse (400) tools that the provider runs, and what nobody knows not to be one: all others are run by callers."""
    if body.get("mcp_servers"):
        raise _hosted("mcp_servers", "mcp_servers")
    given = body.get("tools")
    for index, tool in enumerate(given if isinstance(given, list) else ()):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in (*_OWN, "function") and not str(kind).startswith(_CALLERS):
            raise _hosted(str(kind), f"tools.{index}.type")


def _hosted(kind: str, param: str) -> Refusal:
    message = (
        f"{param}: {kind} runs at the provider, where no policy and no budget of yours holds; give the model a tool of "
        "your own and run it yourself (`signet api add` puts a search service behind the router)"
    )
    return Refusal(400, "unsupported_tool", message, param)


def _read(tool: dict[str, Any], at: str) -> dict[str, Any]:
    if not isinstance(tool.get("input_schema"), dict):
        raise bad_request(f"{at}.input_schema: must be a JSON schema", f"{at}.input_schema")
    function = {"name": text(tool, "name", at), "parameters": tool["input_schema"]}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    if tool.get("strict") is True:
        function["strict"] = True
    return {"type": "function", "function": function, **marked(tool)}


def _read_choice(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    kind = given.get("type") if isinstance(given, dict) else None
    found: dict[str, Any]
    if isinstance(given, dict) and kind == "tool":
        name = text(given, "name", "tool_choice")
        found = {"tool_choice": {"type": "function", "function": {"name": name}}}
    elif isinstance(given, dict) and kind in _WORDS:
        found = {"tool_choice": _WORDS[kind]}
    else:
        raise bad_request("tool_choice.type: must be auto, any, tool or none", "tool_choice.type")
    return found | ({"parallel_tool_calls": False} if given.get("disable_parallel_tool_use") is True else {})


def write(body: Mapping[str, Any], called: list[str]) -> dict[str, Any]:
    """Write the neutral tools and the choice among them.

    `called` are those that the conversation names: this form wants every one of them told, so that they are named,
    and not offered, where no tools are. Raises Refusal (400).
    """
    ours(body)
    choice = body.get("tool_choice")
    tools = [_write(tool, f"tools.{index}") for index, tool in enumerate(listed(body.get("tools") or [], "tools"))]
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = part(choice, "allowed_tools")
        names = [part(each, "function").get("name") for each in listed(allowed.get("tools"), "tool_choice")]
        tools, choice = [tool for tool in tools if tool.get("name") in names], allowed.get("mode", "auto")
    if not tools:
        named = [{"name": name, "input_schema": _OPEN} for name in dict.fromkeys(called)]
        return {"tools": named, "tool_choice": {"type": "none"}} if named else {}
    written = _write_choice(choice)
    if body.get("parallel_tool_calls") is False and written.get("type") != "none":
        written = {"type": "auto"} | written | {"disable_parallel_tool_use": True}
    return {"tools": tools, "tool_choice": written} if written else {"tools": tools}


def forced(written: Mapping[str, Any]) -> bool:
    """Whether a tool must be called, which none that thinks before can be made to."""
    return part(written, "tool_choice").get("type") in ("any", "tool")


def _write(tool: dict[str, Any], at: str) -> dict[str, Any]:
    if tool.get("type") == "custom" and isinstance(tool.get("custom"), dict):
        message = "this model's provider speaks Anthropic's Messages API, whose tools take JSON: use a function"
        raise bad_request(f"{at}: {message}", at)
    if tool.get("type") != "function":
        return tool  # one of this form's own
    function = part(tool, "function")
    schema = function.get("parameters")
    found: dict[str, Any] = {"name": text(function, "name", f"{at}.function")}
    if isinstance(function.get("description"), str) and function["description"]:
        found["description"] = function["description"]
    found["input_schema"] = {"type": "object", **schema} if isinstance(schema, dict) else _OPEN
    if function.get("strict") is True:
        found["strict"] = True
    return {**found, **marked(tool)}


def _write_choice(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, str) and given in _BACK:
        return {"type": _BACK[given]}
    name = part(given, "function").get("name")
    if isinstance(name, str):
        return {"type": "tool", "name": name}
    raise bad_request("tool_choice: must be auto, required, none, or name a function", "tool_choice")
