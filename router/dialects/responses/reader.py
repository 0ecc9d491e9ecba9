"""A stream of this form, read into chat's events."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.dialects.events import Garbage, parsed
from router.dialects.responses import answer, output, thoughts, usage

_DELTAS = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_content",
    "response.reasoning_summary_text.delta": "reasoning_content",
}
_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_CALL_DELTAS = {
    "response.function_call_arguments.delta": ("function", "arguments"),
    "response.custom_tool_call_input.delta": ("custom", "input"),
}
_ASIDES = ("response.reasoning_summary_part.added", "response.output_text.annotation.added")
_ENDS = ("response.completed", "response.incomplete")


class ResponsesReader:
    """Reads one stream. What it is told only in one piece, when an item or all is whole, it tells in one piece."""

    def __init__(self) -> None:
        self.done = False
        self._about: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
        self._calls: dict[int, int] = {}
        self._heard: set[int] = set()

    def read(self, payload: bytes) -> list[dict[str, Any]]:
        """Give the neutral events that an event's data stands for. Raises Garbage."""
        if self.done or payload == b"[DONE]":
            return []
        event = parsed(payload)
        kind = event.get("type")
        if kind == "error" or (kind is None and event.get("error")):
            return self._failed(event.get("error") or event)
        if not isinstance(kind, str):
            raise Garbage("an event without a type")
        return list(self._read(kind, event))

    def _read(self, kind: str, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if kind in _DELTAS:
            yield from self._said(_DELTAS[kind], event)
        elif kind in _CALL_DELTAS:
            yield from self._argued(*_CALL_DELTAS[kind], event)
        elif kind == "response.created":
            self._introduce(_object(event, "response"))
            yield self._chunk({"role": "assistant", "content": ""})
        elif kind in _ASIDES:
            yield from self._aside(event)
        elif kind == "response.output_item.added":
            yield from self._added(_item(event), _place(event))
        elif kind == "response.output_item.done":
            yield from self._whole(_item(event), _place(event))
        elif kind in _ENDS:
            yield from self._end(_object(event, "response"))
        elif kind == "response.failed":
            yield from self._failed(_object(event, "response").get("error") or {})

    def _aside(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if found := output.uncited([event.get("annotation")]):
            yield self._chunk({"annotations": found})
        elif event.get("summary_index"):
            yield self._chunk({"reasoning_content": "\n\n"})

    def _said(self, field: str, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        text = event.get("delta")
        if not isinstance(text, str):
            raise Garbage("a delta that is no text")
        self._heard.add(_place(event))
        chunk = self._chunk({field: text})
        if field == "content" and isinstance(event.get("logprobs"), list) and event["logprobs"]:
            chunk["choices"][0]["logprobs"] = {"content": event["logprobs"], "refusal": None}
        yield chunk

    def _argued(self, kind: str, field: str, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        place, text = _place(event), event.get("delta")
        if not isinstance(text, str) or place not in self._calls:
            raise Garbage("a piece of a call that did not begin")
        self._heard.add(place)
        yield self._chunk({"tool_calls": [{"index": self._calls[place], kind: {field: text}}]})

    def _added(self, item: dict[str, Any], place: int) -> Iterator[dict[str, Any]]:
        if item.get("type") not in _CALLS:
            return
        call = output.called(item)
        kind, field = _CALLS[item["type"]]
        if call[kind][field]:
            self._heard.add(place)
        yield self._call(call, place)

    def _call(self, call: dict[str, Any], place: int) -> dict[str, Any]:
        self._calls[place] = len(self._calls)
        return self._chunk({"tool_calls": [{"index": self._calls[place], **call}]})

    def _whole(self, item: dict[str, Any], place: int) -> Iterator[dict[str, Any]]:
        kind = item.get("type")
        if kind == "reasoning" and (found := thoughts.detail(item)):
            yield self._chunk({"reasoning_details": found})
        if place in self._heard:
            return
        self._heard.add(place)
        if kind in _CALLS and place in self._calls:
            word, field = _CALLS[kind]
            if text := output.called(item)[word][field]:
                yield self._chunk({"tool_calls": [{"index": self._calls[place], word: {field: text}}]})
        elif kind in _CALLS:
            yield self._call(output.called(item), place)
        elif kind in ("message", "reasoning"):
            yield from self._told(output.read([item]))

    def _told(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        names = ("reasoning_content", "content", "refusal", "annotations")
        if delta := {name: message[name] for name in names if message.get(name)}:
            yield self._chunk(delta)

    def _end(self, response: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.done = True
        self._introduce(response)
        found = response.get("output")
        items = found if isinstance(found, list) else []
        if not self._heard and not self._calls:
            for place, item in enumerate(each for each in items if isinstance(each, dict) and _typed(each)):
                yield from self._whole(item, place)
        last = self._chunk({})
        last["choices"][0]["finish_reason"] = answer.finish(response, calls=bool(self._calls))
        yield last
        if counted := usage.neutral(response):
            yield {**self._about, "choices": [], "usage": counted}

    def _failed(self, error: object) -> list[dict[str, Any]]:
        self.done = True
        said = error if isinstance(error, Mapping) else {"message": str(error)}
        return [{"error": {"message": str(said.get("message") or "it did not say why"), "code": said.get("code")}}]

    def _introduce(self, response: dict[str, Any]) -> None:
        self._about["id"] = str(response.get("id") or self._about["id"])
        self._about["created"] = answer.created(response) or self._about["created"]
        self._about["model"] = str(response.get("model") or self._about["model"])

    def _chunk(self, delta: dict[str, Any]) -> dict[str, Any]:
        return {**self._about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _object(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise Garbage(f"an event without its {name}")
    return value


def _item(event: Mapping[str, Any]) -> dict[str, Any]:
    item = _object(event, "item")
    if not _typed(item):
        raise Garbage("an item without a type")
    return item


def _typed(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("type"), str)


def _place(event: Mapping[str, Any]) -> int:
    """Give where an item stands; servers that make but one do not always say."""
    place = event.get("output_index")
    return place if isinstance(place, int) else 0
