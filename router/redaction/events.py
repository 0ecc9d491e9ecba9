"""Server-sent events with secret values taken out, also those whose letters come in one delta after the other.

A model's text comes in deltas, a few letters each, every one in a JSON event of its own: bytes that are looked at as
they come show no value that is cut by such a border. So each text is put together again: that of a choice, of its
reasoning, of each tool call's arguments. While the last letters of one could be the begin of a value, its events wait,
in order, with everything behind them. The first letters, fewer than a head, are passed on at once, for nearly every
word would wait otherwise: of a value that is cut there, up to three letters are left before the mark.
"""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.dialects.events import payload, split
from router.redaction.flow import Flow
from router.redaction.matcher import HEAD, Matcher

if TYPE_CHECKING:
    from router.redaction.redactor import Redactor

HELD_EVENTS = 256
"""Events that wait at most; then the letters that they wait for are taken out."""
HELD_BYTES = 256 << 10
"""Bytes that wait at most; as above."""
MAX_FLOWS = 1024
"""Texts that one stream may put together side by side; of one more the events are redacted each for itself."""

_LINE = re.compile(rb"(\r\n|\n|\r)")
_OTHERWISE = re.compile(rb"\\(?:u00[2-7]|/)")
_QUOTED = re.compile(rb'(?:[^"\\]|\\.)*')
_WHOLE = {"role", "type"}  # one word, the same in every event
_INDICES = ("index", "output_index", "content_index", "item_id")

Key = tuple[object, ...]


@dataclass(slots=True)
class _Piece:
    """A delta's text: where it stands in its event, and in which flow, up to which place."""

    flow: Flow
    holder: Any
    slot: Any
    text: bytes
    end: int


@dataclass(slots=True)
class _Event:
    raw: bytes
    value: Any = None
    pieces: list[_Piece] = field(default_factory=list)
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _Shape:
    """What stands around the text of events that differ in it alone, as those of most streams do, quotes included."""

    before: bytes
    after: bytes
    flow: Flow


class Events:
    """Redacts one stream. `feed` takes whole events as they are on the wire, and gives whole events."""

    def __init__(self, redactor: "Redactor", matcher: Matcher) -> None:
        self._redactor = redactor
        self._matcher = matcher
        self._flows: dict[Key, Flow] = {}
        self._waiting: deque[_Event] = deque()
        self._waiting_bytes = 0
        self._shape: _Shape | None = None

    def feed(self, events: bytes) -> bytes:
        """Take events and give those that may be passed on, the same object where all may and none was changed."""
        passed = self._passed(events)
        if passed == len(events):
            return events
        whole, rest = split(events[passed:])
        if rest:
            whole.append(rest)
        ready = [event if self._resembles(event) else self._read(event) for event in whole]
        return ready[0] if len(ready) == 1 and not passed else b"".join([events[:passed], *ready])

    def _passed(self, events: bytes) -> int:
        """Say how many bytes are events as the last one but for their texts, which are of no interest: nearly all."""
        at = 0
        shape = self._shape
        while shape is not None and events.startswith(shape.before, at):
            start = at + len(shape.before)
            end = events.find(shape.after, start)
            if end < 0 or not self._unsuspicious(shape.flow, events[start:end]):
                break
            at = end + len(shape.after)
        return at

    def end(self) -> bytes:
        """Give what still waits: no value became whole. To be called before an error's event, too."""
        for flow in self._flows.values():
            flow.held = flow.length
        return self._ready()

    def _unsuspicious(self, flow: Flow, text: bytes) -> bool:
        """Whether a text, as it stands in JSON, goes on with no value and begins none: nearly always."""
        if b"\\" in text or b'"' in text:
            try:
                text = json.loads(b'"' + text + b'"').encode(errors="surrogatepass")
            except ValueError:
                return False  # it is more than a text
        data = flow.context + text
        if self._matcher.headed(data):
            return False
        flow.follow(data[1 - HEAD :], len(text))
        return True

    def _resembles(self, event: bytes) -> bool:
        """Whether it is as the last one but for its text and some word of no interest behind it, as some providers'."""
        shape = self._shape
        if shape is None or not event.startswith(shape.before):
            return False
        start = len(shape.before)
        end = event.find(b'"', start)
        text, rest = event[start:end], event[end:]
        if b"\\" in text or (rest != shape.after and not self._plain(rest)):
            return False
        return self._unsuspicious(shape.flow, text)

    def _plain(self, rest: bytes) -> bool:
        """Whether what follows a text is the end of its event, and holds no other text and no value."""
        if not rest.startswith(b'"}') or rest.find(b"\n\n") != len(rest) - 2:
            return False
        return not (b'"delta"' in rest or b"\\" in rest or b"\r" in rest or self._matcher.find(rest))

    def _read(self, event: bytes) -> bytes:
        """Take one event that has to be looked into."""
        read = self._parsed(event)
        self._waiting.append(read)
        self._waiting_bytes += len(event)
        if len(self._waiting) > HELD_EVENTS or self._waiting_bytes > HELD_BYTES:
            for flow in self._flows.values():
                flow.mask()
        ready = self._ready()
        # While something waits there is none: every event has to wait behind it.
        self._shape = None if self._waiting or read.changed else _shape(read)
        return ready

    def _ready(self) -> bytes:
        ready: list[bytes] = []
        while self._waiting and all(piece.end <= piece.flow.held for piece in self._waiting[0].pieces):
            event = self._waiting.popleft()
            self._waiting_bytes -= len(event.raw)
            ready.append(_written(event))
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def _parsed(self, raw: bytes) -> _Event:
        data = payload(raw)
        try:
            value = json.loads(data) if data and data.startswith(b"{") else None
            if not isinstance(value, dict):
                return _Event(self._redactor.whole(raw))
            followed = [(flow, *leaf[1:]) for leaf in _leaves(value) if (flow := self._flow(leaf[0])) is not None]
            suspicious = self._matcher.find(raw) or _OTHERWISE.search(raw)
            changed = bool(suspicious) and self._mend(value, [(holder, slot) for _, holder, slot in followed])
        except (ValueError, RecursionError):
            return _Event(self._redactor.whole(raw))
        return _Event(raw, value, [_taken(*leaf) for leaf in followed], changed)

    def _mend(self, value: dict[str, Any], apart: list[tuple[Any, Any]]) -> bool:
        """Redact all of an event but the texts that go on in others."""
        texts = [holder[slot] for holder, slot in apart]
        for holder, slot in apart:
            holder[slot] = ""
        try:
            return self._redactor.mend(value)
        finally:
            for (holder, slot), text in zip(apart, texts, strict=True):
                holder[slot] = text

    def _flow(self, key: Key) -> Flow | None:
        flow = self._flows.get(key)
        if flow is None and len(self._flows) < MAX_FLOWS:
            flow = self._flows[key] = Flow(self._matcher, short=False)
        return flow


def _taken(flow: Flow, holder: Any, slot: Any) -> _Piece:
    text = holder[slot].encode(errors="surrogatepass")
    flow.take(text)
    return _Piece(flow, holder, slot, text, flow.length)


def _leaves(value: dict[str, Any]) -> Iterator[tuple[Key, Any, Any]]:
    """Give the texts of an event that others go on with: which text, and where it stands.

    Those of chat are in `choices[].delta`; an event of the other forms has its `delta` at its top.
    """
    choices = value.get("choices")
    for place, choice in enumerate(choices if isinstance(choices, list) else ()):
        if isinstance(choice, dict):
            key: Key = ("choice", str(choice.get("index", place)))
            if isinstance(choice.get("text"), str):
                yield (*key, "text"), choice, "text"
            if "delta" in choice:
                yield from _strings(key, choice, "delta")
    if "delta" in value:
        indices = tuple(str(value.get(index)) for index in _INDICES)
        yield from _strings((str(value.get("type")), *indices), value, "delta")


def _strings(path: Key, holder: Any, slot: Any) -> Iterator[tuple[Key, Any, Any]]:
    found = holder[slot]
    if isinstance(found, str):
        if slot not in _WHOLE:
            yield path, holder, slot
    elif isinstance(found, dict):
        for name in found:
            yield from _strings((*path, name), found, name)
    elif isinstance(found, list):
        for place, item in enumerate(found):
            index = item.get("index", place) if isinstance(item, dict) else place
            yield from _strings((*path, str(index)), found, place)


def _shape(event: _Event) -> _Shape | None:
    """Learn how an event looks around its only text; None where that is not plain."""
    if len(event.pieces) != 1 or not event.raw.startswith(b"data: ") or event.raw.find(b"\n") != len(event.raw) - 2:
        return None
    piece = event.pieces[0]
    mark = f'"{piece.slot}":"'.encode()
    start = event.raw.find(mark) + len(mark)
    quoted = _QUOTED.match(event.raw, start)
    if event.raw.count(mark) != 1 or quoted is None or not piece.text:
        return None
    if json.loads(b'"' + quoted[0] + b'"').encode(errors="surrogatepass") != piece.text:
        return None
    return _Shape(event.raw[:start], event.raw[quoted.end() :], piece.flow)


def _written(event: _Event) -> bytes:
    """Give an event as it was, or without what is to be taken out."""
    for piece in event.pieces:
        text = piece.flow.pass_on(piece.text)
        if text != piece.text:
            piece.holder[piece.slot] = text.decode(errors="surrogatepass")
            event.changed = True
    if not event.changed:
        return event.raw
    data = b"data: " + json.dumps(event.value, separators=(",", ":")).encode()
    lines = _LINE.split(event.raw)
    written: list[bytes] = []
    for line, ending in zip(lines[::2], lines[1::2], strict=False):
        if not line.startswith(b"data:"):
            written += [line, ending]
        elif data:
            written += [data, ending]
            data = b""
    return b"".join(written)
