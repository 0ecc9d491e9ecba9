"""What a model made, as items of a response's output: made from a neutral message, and read into one."""

from collections.abc import Mapping
from typing import Any

from router.dialects.responses import thoughts
from router.dialects.responses.envelope import Envelope

_CALLS = {"function": ("function_call", "arguments", "fc"), "custom": ("custom_tool_call", "input", "ctc")}
_KINDS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}


def reasoning(envelope: Envelope, ident: str, text: str, details: list[dict[str, Any]]) -> dict[str, Any]:
    """Make an item of thoughts: a summary where one was asked for, else the text itself."""
    item: dict[str, Any] = {"id": ident, "type": "reasoning", "summary": [], "status": "completed"}
    if text and envelope.summarised:
        item["summary"] = [{"type": "summary_text", "text": text}]
    elif text:
        item["content"] = [{"type": "reasoning_text", "text": text}]
    if details:
        item["encrypted_content"] = thoughts.packed(details)
    return item


def message(ident: str, content: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    """Make an item of what it said."""
    return {"id": ident, "type": "message", "status": status, "role": "assistant", "content": content}


def said(text: str, annotations: list[dict[str, Any]], logprobs: list[Any]) -> dict[str, Any]:
    """Make a part of text."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def call(ident: str, given: Mapping[str, Any], status: str = "completed") -> dict[str, Any]:
    """Make an item of a tool's call, from chat's."""
    kind = "custom" if given.get("type") == "custom" else "function"
    name, field, _ = _CALLS[kind]
    inner = given.get(kind) if isinstance(given.get(kind), Mapping) else {}
    return {
        "id": ident,
        "type": name,
        "status": status,
        "call_id": str(given.get("id") or ident),
        "name": (inner or {}).get("name") or "",
        field: (inner or {}).get(field) or "",
    }


def call_prefix(given: Mapping[str, Any]) -> str:
    """Say how the id of such an item begins."""
    return _CALLS["custom" if given.get("type") == "custom" else "function"][2]


def cited(annotations: object) -> list[dict[str, Any]]:
    """Write chat's annotations in this form."""
    return [
        {"type": "url_citation"} | each["url_citation"]
        for each in (annotations if isinstance(annotations, list) else ())
        if isinstance(each, dict) and isinstance(each.get("url_citation"), dict)
    ]


def items(envelope: Envelope, answer: Mapping[str, Any], logprobs: list[Any]) -> list[dict[str, Any]]:
    """Make the items of a neutral message."""
    made: list[dict[str, Any]] = []
    text, details = thoughts.said(answer), thoughts.details(answer)
    if text or details:
        made.append(reasoning(envelope, envelope.ident("rs", 0), text, details))
    calls = answer.get("tool_calls")
    calls = [each for each in calls if isinstance(each, Mapping)] if isinstance(calls, list) else []
    content: list[dict[str, Any]] = []
    words = answer.get("content")
    if isinstance(words, str) and (words or not (answer.get("refusal") or calls)):
        content.append(said(words, cited(answer.get("annotations")), logprobs))
    if answer.get("refusal"):
        content.append({"type": "refusal", "refusal": str(answer["refusal"])})
    if content:
        made.append(message(envelope.ident("msg", len(made)), content))
    for each in calls:
        made.append(call(envelope.ident(call_prefix(each), len(made)), each))
    return made


def read(output: list[Any]) -> dict[str, Any]:
    """Read items into a neutral message; of those that it has no place for, nothing is left."""
    texts: list[str] = []
    refusals: list[str] = []
    thought: list[str] = []
    message: dict[str, Any] = {"role": "assistant"}
    for item in output:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "message":
            _speak(item, texts, refusals, message)
        elif kind == "reasoning":
            thought += [said for said in [thoughts.text(item, "output")] if said]
            message.setdefault("reasoning_details", []).extend(thoughts.detail(item))
        elif isinstance(kind, str) and kind in _KINDS:
            message.setdefault("tool_calls", []).append(called(item))
    message["content"] = "".join(texts) if texts or not message.get("tool_calls") else None
    message["refusal"] = "".join(refusals) or None
    if thought:
        message["reasoning_content"] = "\n\n".join(thought)
    if not message.get("reasoning_details"):
        message.pop("reasoning_details", None)
    return message


def _speak(item: dict[str, Any], texts: list[str], refusals: list[str], message: dict[str, Any]) -> None:
    content = item.get("content")
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "output_text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
            if found := uncited(part.get("annotations")):
                message.setdefault("annotations", []).extend(found)
        elif kind == "refusal":
            refusals.append(str(part.get("refusal") or ""))


def called(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read an item of a call into chat's."""
    kind, field = _KINDS[str(item["type"])]
    inner = {"name": str(item.get("name") or ""), field: str(item.get(field) or "")}
    return {"id": str(item.get("call_id") or item.get("id") or ""), "type": kind, kind: inner}


def uncited(annotations: object) -> list[dict[str, Any]]:
    """Read annotations into chat's, which knows those of addresses only."""
    found: list[dict[str, Any]] = []
    for each in annotations if isinstance(annotations, list) else ():
        if isinstance(each, dict) and each.get("type") == "url_citation":
            kept = {name: value for name, value in each.items() if name != "type"}
            found.append({"type": "url_citation", "url_citation": kept})
    return found
