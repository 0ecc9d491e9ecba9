"""Tools and the choice among them: this form's flat ones to chat's nested ones, and back."""

from typing import Any

from router.dialects.responses.reach import Reach
from router.refusal import Refusal, bad_request

_HOSTED = (
    "web_search", "web_search_preview", "file_search", "code_interpreter", "image_generation", "mcp",
)  # fmt: skip
_FIELDS = ("name", "description", "parameters", "strict")
_WORDS = ("auto", "none", "required")
_OWN = ("function", "custom")


def read(given: object, reach: Reach) -> list[dict[str, Any]]:
    """Read tools. Raises Refusal (400), for those that the provider itself would run, too."""
    if not isinstance(given, list):
        raise bad_request("tools must be a list", "tools")
    found: list[dict[str, Any]] = []
    for index, tool in enumerate(given):
        at = f"tools[{index}]"
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise bad_request(f"{at} must be an object with a type", at)
        kind = tool["type"]
        if _hosted(tool):
            raise _not_here(kind, f"{at}.type")
        if kind not in _OWN:
            reach.only(f"a tool of type {kind!r}", f"{at}.type")
            continue
        if not isinstance(tool.get("name"), str) or not tool["name"]:
            raise bad_request(f"{at}.name must be the tool's name", f"{at}.name")
        found.append(_read(tool))
    return found


def _hosted(tool: dict[str, Any]) -> bool:
    kind = str(tool["type"])
    if kind.startswith(_HOSTED):
        return True
    environment = tool.get("environment")
    return kind == "shell" and isinstance(environment, dict) and environment.get("type") != "local"


def _not_here(kind: str, param: str) -> Refusal:
    message = (
        f"{kind} runs at the provider, where no policy and no budget of yours holds; give the model a function tool "
        "and run it yourself (`signet api add` puts a search service behind the router)"
    )
    return Refusal(400, "unsupported_tool", message, param)


def _read(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] == "function":
        return {"type": "function", "function": {name: tool[name] for name in _FIELDS if tool.get(name) is not None}}
    custom = {name: tool[name] for name in ("name", "description") if tool.get(name) is not None}
    kept = tool.get("format")
    if isinstance(kept, dict):
        rule = {name: value for name, value in kept.items() if name != "type"}
        custom["format"] = {"type": "grammar", "grammar": rule} if kept.get("type") == "grammar" else kept
    return {"type": "custom", "custom": custom}


def read_choice(given: object, reach: Reach) -> Any:
    """Read which tool is to be called. Raises Refusal (400)."""
    if given in _WORDS:
        return given
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        raise bad_request(f"tool_choice must be one of {', '.join(_WORDS)}, or name a tool", "tool_choice")
    kind = given["type"]
    if kind in _OWN:
        if not isinstance(given.get("name"), str):
            raise bad_request("tool_choice.name must be the tool's name", "tool_choice.name")
        return _named(given)
    if kind == "allowed_tools" and isinstance(given.get("tools"), list):
        tools = [_named(tool) for tool in given["tools"] if isinstance(tool, dict) and tool.get("type") in _OWN]
        if len(tools) == len(given["tools"]):
            return {"type": kind, kind: {"mode": given.get("mode", "auto"), "tools": tools}}
    if kind.startswith(_HOSTED):
        raise _not_here(kind, "tool_choice.type")
    reach.only(f"a choice of type {kind!r}", "tool_choice.type")
    return "auto"


def _named(given: dict[str, Any]) -> dict[str, Any]:
    return {"type": given["type"], given["type"]: {"name": given.get("name")}}


def write(given: object) -> list[dict[str, Any]]:
    """Write tools. This form's functions are strict unless they say that they are not, chat's the other way round.

    Raises Refusal (400).
    """
    if not isinstance(given, list):
        raise bad_request("tools must be a list", "tools")
    return [_write(tool, f"tools[{index}]") for index, tool in enumerate(given)]


def _write(tool: object, at: str) -> dict[str, Any]:
    kind = tool.get("type") if isinstance(tool, dict) else None
    inner = tool.get(kind) if isinstance(tool, dict) and kind in _OWN else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise bad_request(f"{at} must be a function or a custom tool with a name", at)
    if kind == "function":
        written = {name: inner[name] for name in _FIELDS if inner.get(name) is not None}
        return {"type": kind, "parameters": {"type": "object", "properties": {}}, "strict": False} | written
    written = {name: inner[name] for name in ("name", "description", "format") if inner.get(name) is not None}
    rule = written.get("format")
    if isinstance(rule, dict) and isinstance(rule.get("grammar"), dict):
        written["format"] = {"type": "grammar"} | rule["grammar"]
    return {"type": kind} | written


def write_choice(given: object) -> Any:
    """Write which tool is to be called. Raises Refusal (400)."""
    if given in _WORDS:
        return given
    kind = given.get("type") if isinstance(given, dict) else None
    inner = given.get(kind) if isinstance(given, dict) and isinstance(kind, str) else None
    if isinstance(inner, dict) and kind in _OWN:
        return {"type": kind, "name": inner.get("name")}
    if isinstance(inner, dict) and kind == "allowed_tools" and isinstance(inner.get("tools"), list):
        tools = [write_choice(tool) for tool in inner["tools"]]
        return {"type": kind, "mode": inner.get("mode", "auto"), "tools": tools}
    raise bad_request(f"tool_choice must be one of {', '.join(_WORDS)}, or name a tool", "tool_choice")
