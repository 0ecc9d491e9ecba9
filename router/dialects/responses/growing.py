"""Items of a response while they grow: what is said of each when it begins, goes on, and is whole."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from router.dialects.responses import output
from router.dialects.responses.envelope import Envelope

Event = tuple[str, dict[str, Any]]
"""An event's type, and its fields besides that and its number."""


class Growing(Protocol):
    """An item that is not whole yet."""

    def finish(self) -> Iterator[Event]:
        """Say that it is."""

    def item(self) -> dict[str, Any]:
        """Give it as it is now."""


class Thoughts:
    """What a model thinks, as text or, where the caller asked for that, as a summary."""

    def __init__(self, envelope: Envelope, index: int) -> None:
        self._envelope = envelope
        self._index = index
        self._ident = envelope.ident("rs", index)
        self._texts: list[str] = []
        self._details: list[dict[str, Any]] = []
        summarised = envelope.summarised
        self._word = "reasoning_summary_text" if summarised else "reasoning_text"
        self._part = "reasoning_summary_part" if summarised else "content_part"
        self._kind = "summary_text" if summarised else "reasoning_text"
        at = {"summary_index": 0} if summarised else {"content_index": 0}
        self._at = {"item_id": self._ident, "output_index": index} | at

    def begin(self) -> Iterator[Event]:
        """Say that there is such an item."""
        item = {"id": self._ident, "type": "reasoning", "summary": [], "status": "in_progress"}
        yield "response.output_item.added", {"output_index": self._index, "item": item}

    def think(self, text: str) -> Iterator[Event]:
        """Take the next piece of text."""
        if not self._texts:
            yield f"response.{self._part}.added", self._at | {"part": {"type": self._kind, "text": ""}}
        self._texts.append(text)
        yield f"response.{self._word}.delta", self._at | {"delta": text}

    def keep(self, details: list[dict[str, Any]]) -> None:
        """Take what has to be given back."""
        self._details += details

    def finish(self) -> Iterator[Event]:
        """Say that it is whole."""
        if self._texts:
            text = "".join(self._texts)
            yield f"response.{self._word}.done", self._at | {"text": text}
            yield f"response.{self._part}.done", self._at | {"part": {"type": self._kind, "text": text}}
        yield "response.output_item.done", {"output_index": self._index, "item": self.item()}

    def item(self) -> dict[str, Any]:
        """Give it as it is now."""
        return output.reasoning(self._envelope, self._ident, "".join(self._texts), self._details)


class Message:
    """What it says: parts of text and of refusal, one after the other."""

    def __init__(self, envelope: Envelope, index: int) -> None:
        self._index = index
        self._ident = envelope.ident("msg", index)
        self._content: list[dict[str, Any]] = []
        self._texts: list[str] = []

    def begin(self) -> Iterator[Event]:
        """Say that there is such an item."""
        item = output.message(self._ident, [], "in_progress")
        yield "response.output_item.added", {"output_index": self._index, "item": item}

    def say(self, text: str, logprobs: list[Any]) -> Iterator[Event]:
        """Take the next piece of text, with the probabilities of its tokens."""
        yield from self._turn(output.said("", [], []))
        self._texts.append(text)
        self._content[-1]["logprobs"] += logprobs
        yield "response.output_text.delta", self._at() | {"delta": text, "logprobs": logprobs}

    def refuse(self, text: str) -> Iterator[Event]:
        """Take the next piece of a refusal."""
        yield from self._turn({"type": "refusal", "refusal": ""})
        self._texts.append(text)
        yield "response.refusal.delta", self._at() | {"delta": text}

    def cite(self, annotations: list[dict[str, Any]]) -> Iterator[Event]:
        """Take annotations of the text so far."""
        yield from self._turn(output.said("", [], []))
        known = self._content[-1]["annotations"]
        for each in annotations:
            known.append(each)
            where = {"annotation_index": len(known) - 1, "annotation": each}
            yield "response.output_text.annotation.added", self._at() | where

    def finish(self) -> Iterator[Event]:
        """Say that it is whole."""
        yield from self._end()
        yield "response.output_item.done", {"output_index": self._index, "item": self.item()}

    def item(self) -> dict[str, Any]:
        """Give it as it is now."""
        return output.message(self._ident, self._content)

    def _at(self) -> dict[str, Any]:
        return {"item_id": self._ident, "output_index": self._index, "content_index": len(self._content) - 1}

    def _turn(self, part: dict[str, Any]) -> Iterator[Event]:
        """Begin another part, unless this one is of its type."""
        if self._content and self._content[-1]["type"] == part["type"]:
            return
        yield from self._end()
        self._content.append(part)
        yield "response.content_part.added", self._at() | {"part": dict(part)}

    def _end(self) -> Iterator[Event]:
        if not self._content:
            return
        part, text = self._content[-1], "".join(self._texts)
        self._texts = []
        if part["type"] == "refusal":
            part["refusal"] = text
            yield "response.refusal.done", self._at() | {"refusal": text}
        else:
            part["text"] = text
            yield "response.output_text.done", self._at() | {"text": text, "logprobs": part["logprobs"]}
        yield "response.content_part.done", self._at() | {"part": part}


class Call:
    """A call of a tool, from chat's."""

    def __init__(self, envelope: Envelope, index: int, given: Mapping[str, Any]) -> None:
        self._index = index
        self.kind = "custom" if given.get("type") == "custom" or "custom" in given else "function"
        self.call_id = str(given.get("id") or "")
        prefix = output.call_prefix({"type": self.kind})
        self._ident = envelope.ident(prefix, index)
        self._name = ""
        self._texts: list[str] = []
        self._word, self._field = {
            "function": ("function_call_arguments", "arguments"),
            "custom": ("custom_tool_call_input", "input"),
        }[self.kind]

    def begin(self, given: Mapping[str, Any]) -> Iterator[Event]:
        """Say that there is such an item."""
        inner = given.get(self.kind)
        self._name = str((inner or {}).get("name") or "") if isinstance(inner, Mapping) else ""
        item = self.item() | {"status": "in_progress"}
        yield "response.output_item.added", {"output_index": self._index, "item": item}

    def add(self, given: Mapping[str, Any]) -> Iterator[Event]:
        """Take the next piece of its arguments."""
        inner = given.get(self.kind)
        text = inner.get(self._field) if isinstance(inner, Mapping) else None
        if isinstance(text, str) and text:
            self._texts.append(text)
            yield f"response.{self._word}.delta", self._at() | {"delta": text}

    def finish(self) -> Iterator[Event]:
        """Say that it is whole."""
        text = "".join(self._texts)
        yield f"response.{self._word}.done", self._at() | {"name": self._name, self._field: text}
        yield "response.output_item.done", {"output_index": self._index, "item": self.item()}

    def item(self) -> dict[str, Any]:
        """Give it as it is now."""
        inner = {"name": self._name, self._field: "".join(self._texts)}
        return output.call(self._ident, {"id": self.call_id, "type": self.kind, self.kind: inner})

    def _at(self) -> dict[str, Any]:
        return {"item_id": self._ident, "output_index": self._index}
