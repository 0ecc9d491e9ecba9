"""What the Responses API answers: the object, and the events of a stream with their numbers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.provider import Fault, Reply
from tests.fakes.provider.reply import CACHED_TOKENS, PROMPT_TOKENS, REASONING_TOKENS, words

ENCRYPTED = "gAAAAABencrypted-by-the-fake"


def whole(reply: Reply, request: Mapping[str, Any], status: str = "") -> dict[str, Any]:
    """Give the object, complete or as it is while it is made."""
    status = status or ("incomplete" if reply.finish == "length" else "completed")
    output = _items(reply, request) if status in ("completed", "incomplete") else []
    value: dict[str, Any] = {
        "id": "resp_fake",
        "object": "response",
        "created_at": 1,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "model": request["model"],
        "output": output,
        "parallel_tool_calls": request.get("parallel_tool_calls", True),
        "previous_response_id": request.get("previous_response_id"),
        "reasoning": request.get("reasoning") or {"effort": None, "summary": None},
        "store": request.get("store", True),
        "temperature": request.get("temperature", 1.0),
        "text": request.get("text") or {"format": {"type": "text"}},
        "tool_choice": request.get("tool_choice", "auto"),
        "tools": request.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": request.get("metadata") or {},
        **reply.fields,
    }
    if output and reply.usage not in ("missing", "null"):
        value["usage"] = _usage(reply)
    return value


def events(reply: Reply, request: Mapping[str, Any]) -> Iterator[bytes]:
    """Write a stream."""
    number = 0
    for kind, fields in _events(reply, request):
        if kind == "garbage":
            yield b"data: <html>\n\n"
            continue
        data = json.dumps({"type": kind, **fields, "sequence_number": number}, separators=(",", ":"))
        yield f"event: {kind}{reply.newline}data: {data}{reply.newline * 2}".encode()
        number += 1


def _events(reply: Reply, request: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("response.created", "response.in_progress"):
        yield kind, {"response": whole(reply, request, "in_progress")}
    for index, item in enumerate(_items(reply, request)):
        yield from _item(index, item)
    if reply.fault is Fault.NO_DONE:
        return
    if reply.fault is Fault.GARBAGE_EVENT:
        yield "garbage", {}
    if reply.fault is Fault.ERROR_EVENT:
        error = {"code": "server_error", "message": "the model fell over"}
        yield "response.failed", {"response": whole(reply, request, "failed") | {"error": error}}
        return
    last = whole(reply, request)
    yield f"response.{last['status']}", {"response": last}


def _item(index: int, item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"item_id": item["id"], "output_index": index}
    empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {}
    empty |= {"arguments": ""} if item["type"] == "function_call" else {}
    empty |= {"summary": []} if item["type"] == "reasoning" else {}
    yield "response.output_item.added", {"output_index": index, "item": item | empty | {"status": "in_progress"}}
    if item["type"] == "message":
        at |= {"content_index": 0}
        text = item["content"][0]["text"]
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield "response.content_part.added", at | {"part": part}
        for word in words(text):
            yield "response.output_text.delta", at | {"delta": word, "logprobs": [], "obfuscation": "x" * 16}
        yield "response.output_text.done", at | {"text": text, "logprobs": []}
        yield "response.content_part.done", at | {"part": part | {"text": text}}
    elif item["type"] == "function_call":
        for start in range(0, len(item["arguments"]), 5):
            delta = item["arguments"][start : start + 5]
            yield "response.function_call_arguments.delta", at | {"delta": delta}
        yield "response.function_call_arguments.done", at | {"arguments": item["arguments"], "name": item["name"]}
    else:
        for place, summary in enumerate(item["summary"]):
            here = at | {"summary_index": place}
            yield "response.reasoning_summary_part.added", here | {"part": summary | {"text": ""}}
            yield "response.reasoning_summary_text.delta", here | {"delta": summary["text"]}
            yield "response.reasoning_summary_text.done", here | {"text": summary["text"]}
            yield "response.reasoning_summary_part.done", here | {"part": summary}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _items(reply: Reply, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.reasoning:
        summary = [{"type": "summary_text", "text": reply.reasoning}]
        item = {"id": "rs_fake", "type": "reasoning", "summary": summary, "status": "completed"}
        sealed = "reasoning.encrypted_content" in (request.get("include") or ())
        items.append(item | ({"encrypted_content": ENCRYPTED} if sealed else {}))
    for index, call in enumerate(reply.tool_calls):
        arguments = json.dumps(call.arguments)
        items.append({"id": f"fc_fake{index}", "type": "function_call", "status": "completed", "call_id": call.id,
                      "name": call.name, "arguments": arguments})  # fmt: skip
    if not reply.tool_calls:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        items.append(
            {"id": "msg_fake", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        )
    return items


def _usage(reply: Reply) -> dict[str, Any]:
    made = len(words(reply.text)) + REASONING_TOKENS
    return {
        "input_tokens": PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": CACHED_TOKENS, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": REASONING_TOKENS},
        "total_tokens": PROMPT_TOKENS + made,
    }
