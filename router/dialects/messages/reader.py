"""A stream of this form, read into neutral events."""

import json
import time
from collections.abc import Mapping
from typing import Any

from router.dialects.events import Garbage, parsed
from router.dialects.messages import stops, thoughts
from router.dialects.messages import usage as counts
from router.dialects.messages.shape import part
from router.usage import chat_words


class MessagesReader:
    """Reads events one by one. Pings, and what nobody knows, are nothing."""

    def __init__(self) -> None:
        self.done = False
        self._head: dict[str, Any] = {}
        self._counts = counts.Counts()
        self._calls = 0
        self._blocks: dict[int, _Block] = {}

    def read(self, payload: bytes) -> list[dict[str, Any]]:
        """Give the neutral events. Raises Garbage."""
        event = parsed(payload)
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "content_block_start":
            return self._start(event)
        if kind == "content_block_stop":
            return self._stop(event)
        if kind == "message_start":
            return self._begin(event)
        if kind == "message_delta":
            return self._end(event)
        if kind == "error":
            return [{"error": dict(part(event, "error")) or {"message": "it did not say why"}}]
        self.done = kind == "message_stop" or self.done
        return []

    def _begin(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        message = part(event, "message")
        self._counts.take(message.get("usage"))
        self._head = {
            "id": str(message.get("id") or ""),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": str(message.get("model") or ""),
        }
        return [self._chunk({"role": "assistant", "content": ""})]

    def _start(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        index, given = _index(event), part(event, "content_block")
        block = self._blocks[index] = _Block(str(given.get("type")), self._calls)
        if block.kind == "text":
            return self._said("content", given.get("text"))
        if block.kind == "thinking":
            block.signature = str(given.get("signature") or "")
            block.text = str(given.get("thinking") or "")
            return self._said("reasoning_content", given.get("thinking"))
        if block.kind == "redacted_thinking":
            detail = {"type": "reasoning.encrypted", "data": str(given.get("data") or ""), "format": thoughts.FORMAT}
            return [self._chunk({"reasoning_details": [detail]})]
        if block.kind != "tool_use":
            return []
        self._calls += 1
        if isinstance(given.get("input"), dict) and given["input"]:
            block.given = json.dumps(given["input"], separators=(",", ":"), ensure_ascii=False)
        call = {"index": block.call, "id": str(given.get("id") or ""), "type": "function"}
        return [
            self._chunk({"tool_calls": [{**call, "function": {"name": str(given.get("name") or ""), "arguments": ""}}]})
        ]

    def _delta(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        block, delta = self._block(event), part(event, "delta")
        kind = delta.get("type")
        if kind == "text_delta":
            return self._said("content", delta.get("text"))
        if kind == "input_json_delta" and block.kind == "tool_use":
            return self._arguments(block, str(delta.get("partial_json") or ""))
        if kind == "thinking_delta":
            block.text += str(delta.get("thinking") or "")
            return self._said("reasoning_content", delta.get("thinking"))
        if kind == "signature_delta":
            block.signature = str(delta.get("signature") or "")
        return []

    def _stop(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        block = self._block(event)
        del self._blocks[_index(event)]
        if block.kind == "thinking" and block.signature:
            return [self._chunk({"reasoning_details": [thoughts.detail(block.text, block.signature)]})]
        if block.kind == "tool_use" and not block.text:
            return self._arguments(block, block.given)
        return []

    def _end(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        told = self._counts.take(event.get("usage"))  # message_start tells of what was made only that it began
        ended = part(event, "delta")
        found: list[dict[str, Any]] = []
        if isinstance(ended.get("stop_reason"), str):
            why = stops.explained(ended)
            chunk = self._chunk({"refusal": why} if why else {})
            chunk["choices"][0] |= stops.read(ended)
            found.append(chunk)
        if told and (used := self._counts.usage()):
            found.append({**self._head, "choices": [], "usage": chat_words(used)})
        return found

    def _arguments(self, block: "_Block", text: str) -> list[dict[str, Any]]:
        if not text:
            return []
        block.text = "said"
        return [self._chunk({"tool_calls": [{"index": block.call, "function": {"arguments": text}}]})]

    def _said(self, field: str, text: object) -> list[dict[str, Any]]:
        return [self._chunk({field: text})] if isinstance(text, str) and text else []

    def _chunk(self, delta: dict[str, Any]) -> dict[str, Any]:
        if not self._head:
            raise Garbage("an event before message_start")
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}

    def _block(self, event: Mapping[str, Any]) -> "_Block":
        found = self._blocks.get(_index(event))
        if found is None:
            raise Garbage("an event of a block that did not begin")
        return found


class _Block:
    """A block that comes: the number of its `call`, its `text` so far, the arguments `given` at its start."""

    __slots__ = ("call", "given", "kind", "signature", "text")

    def __init__(self, kind: str, call: int) -> None:
        self.kind = kind
        self.call = call
        self.text = ""
        self.given = "{}"
        self.signature = ""


def _index(event: Mapping[str, Any]) -> int:
    index = event.get("index")
    if type(index) is not int:
        raise Garbage("an event of a block without its number")
    return index
