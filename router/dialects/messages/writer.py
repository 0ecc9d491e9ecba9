"""Neutral events, written as a stream of this form: block after block, each begun, filled and ended before the next."""

import json
from collections.abc import Mapping
from typing import Any

from router.ask import Ask
from router.dialects.events import Garbage, written
from router.dialects.messages import answer, errors, stops, thoughts
from router.dialects.messages import usage as counts
from router.dialects.messages.shape import part
from router.refusal import Refusal
from router.usage import estimate, read


class MessagesWriter:
    """Writes one stream. A block that comes while a call of a tool has half of its arguments waits for the rest."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._began = False
        self._blocks: list[_Block] = []
        self._current = 0
        self._calls: dict[int, _Block] = {}
        self._end: dict[str, Any] = {}
        self._refusal = ""
        self._foreign: list[dict[str, Any]] = []
        self._usage: object = None
        self._made = 0

    def write(self, event: Mapping[str, Any]) -> bytes:
        """Give what a neutral event is in this form. Raises Garbage for a call of a tool that is none."""
        begun = b"" if self._began else self._begin(event)
        self._usage = event.get("usage") or self._usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        if not isinstance(choice, Mapping) or choice.get("index", 0) != 0:
            return begun
        self._take(part(choice, "delta"))
        if choice.get("finish_reason"):
            self._end = dict(choice)
        return begun + self._flush(everything=False)

    def end(self) -> bytes:
        """Give the rest of the blocks, why it ended, and what it used."""
        begun = b"" if self._began else self._begin({})
        if self._foreign:
            self._sign()
        rest = self._flush(everything=True)
        reason = stops.write(self._end, calls=bool(self._calls), refusal=self._refusal)
        used = read(self._usage) or estimate(self._ask.size, self._made)
        ended = {"type": "message_delta", "delta": reason, "usage": counts.written(used)}
        return begun + rest + written(ended, "message_delta") + written({"type": "message_stop"}, "message_stop")

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more."""
        return errors.event(refusal)

    def _begin(self, event: Mapping[str, Any]) -> bytes:
        """Begin the message. What its input was is only known at its end; until then an estimate stands for it."""
        self._began = True
        message: dict[str, Any] = {
            "id": answer.ident(event),
            "type": "message",
            "role": "assistant",
            "model": str(event.get("model") or self._ask.model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": counts.written(estimate(self._ask.size, 0)),
        }
        return written({"type": "message_start", "message": message}, "message_start")

    def _take(self, delta: Mapping[str, Any]) -> None:
        if thought := thoughts.said(delta):
            self._add("thinking", "thinking_delta", "thinking", thought)
        for each in thoughts.details(delta):
            self._keep(each)
        if isinstance(delta.get("content"), str) and delta["content"]:
            self._add("text", "text_delta", "text", delta["content"])
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            self._refusal += delta["refusal"]
            self._add("text", "text_delta", "text", delta["refusal"])
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            self._call(part({"it": call}, "it"))

    def _add(self, kind: str, delta: str, field: str, text: str) -> None:
        if not self._blocks or self._blocks[-1].kind != kind or self._blocks[-1].sealed:
            self._blocks.append(_Block(kind))
        self._made += len(text)
        self._blocks[-1].deltas.append({"type": delta, field: text})

    def _keep(self, detail: Mapping[str, Any]) -> None:
        """Keep what has to be given back: a signature ends its block, what is encrypted is a block of its own."""
        if not thoughts.own(detail):
            self._foreign.append(dict(detail))
        elif isinstance(detail.get("signature"), str):
            if not self._blocks or self._blocks[-1].kind != "thinking" or self._blocks[-1].sealed:
                self._blocks.append(_Block("thinking"))
            self._blocks[-1].deltas.append({"type": "signature_delta", "signature": detail["signature"]})
            self._blocks[-1].sealed = True
        elif isinstance(detail.get("data"), str):
            self._blocks.append(_Block("redacted_thinking", {"data": detail["data"]}))

    def _sign(self) -> None:
        """Give what another form's provider needs back as the signature of a block of thoughts."""
        self._blocks.append(_Block("thinking"))
        signature = thoughts.packed(self._foreign)
        self._blocks[-1].deltas.append({"type": "signature_delta", "signature": signature})

    def _call(self, call: Mapping[str, Any]) -> None:
        function, index = part(call, "function"), call.get("index")
        name, ident = function.get("name"), call.get("id")
        if type(index) is not int:  # some servers do not count: what has a name begins another one
            index = len(self._calls) - (0 if name or not self._calls else 1)
        block = self._calls.get(index)
        if block is None:
            if not isinstance(name, str) or not name:
                raise Garbage("a call of a tool without its name")
            began = {"id": str(ident or f"toolu_{len(self._calls)}_{name}"), "name": name, "input": {}}
            block = self._calls[index] = _Block("tool_use", began)
            self._blocks.append(block)
        if isinstance(function.get("arguments"), str) and function["arguments"]:
            self._made += len(function["arguments"])
            block.text += function["arguments"]
            block.deltas.append({"type": "input_json_delta", "partial_json": function["arguments"]})

    def _flush(self, *, everything: bool) -> bytes:
        """Write what can be: the current block's pieces, and, once that has ended, the next ones."""
        found: list[bytes] = []
        while self._current < len(self._blocks):
            block = self._blocks[self._current]
            found += block.pieces(self._current)
            last = self._current == len(self._blocks) - 1
            if not everything and (last or not block.whole):
                break
            found.append(_event("content_block_stop", self._current))
            self._current += 1
        return b"".join(found)


class _Block:
    """A block: how it begins, the pieces of it that wait, and the `text` of a call's arguments so far."""

    __slots__ = ("_given", "_started", "deltas", "kind", "sealed", "text")

    def __init__(self, kind: str, given: dict[str, Any] | None = None) -> None:
        self.kind = kind
        self.text = ""
        self.sealed = False
        self.deltas: list[dict[str, Any]] = []
        self._given = given or {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}.get(kind, {})
        self._started = False

    @property
    def whole(self) -> bool:
        """Whether nothing more can come of it."""
        if self.kind != "tool_use":
            return True
        try:
            json.loads(self.text)
        except (ValueError, RecursionError):
            return False
        return True

    def pieces(self, index: int) -> list[bytes]:
        """Take what waits."""
        found = [_event("content_block_delta", index, delta=delta) for delta in self.deltas]
        self.deltas.clear()
        if not self._started:
            self._started = True
            found.insert(0, _event("content_block_start", index, content_block={"type": self.kind, **self._given}))
        return found


def _event(kind: str, index: int, **fields: object) -> bytes:
    return written({"type": kind, "index": index, **fields}, kind)
