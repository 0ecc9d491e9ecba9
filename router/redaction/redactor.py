"""Every secret value that the router knows, taken out of whole texts and of bytes as they come."""

import json
import re
from collections.abc import Iterable
from typing import Any

from router.redaction.events import Events
from router.redaction.flow import MARK, Flow
from router.redaction.matcher import Matcher

HELD_BYTES = 256 << 10
"""What waits at most for the rest of a value that may have begun; beyond it, it is taken out."""

_OTHERWISE = re.compile(rb"\\(?:u00[2-7]|/)")  # ASCII that JSON need not escape: a value may hide behind it


class Redactor:
    """Takes the values out that it was told of, in every form of `forms`, and Signet's own tokens.

    It is told when a key or secret is kept or opened, and never forgets one while it runs. Use it from one thread.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._matcher = Matcher(values)

    def __repr__(self) -> str:
        return "Redactor()"

    def know(self, value: str) -> None:
        """Take this value out from now on."""
        self._matcher.know(value)

    def whole(self, body: bytes) -> bytes:
        """Redact a whole body; what is JSON stays JSON. Takes about 5 µs for a KiB that holds nothing."""
        if not self._matcher.find(body) and not (_OTHERWISE.search(body) and body[:1] in b"{["):
            return body
        if body[:1] in b"{[":
            try:
                value = json.loads(body)
                if self.mend(value):
                    body = json.dumps(value, separators=(",", ":")).encode()
            except (ValueError, RecursionError):
                pass  # then it is no JSON to keep whole
        return self._bytes(body)

    def text(self, text: str) -> str:
        """Redact a text."""
        data = text.encode(errors="surrogatepass")
        clean = self._bytes(data)
        return text if clean is data else clean.decode(errors="replace")

    def line(self, line: str) -> str:
        """Redact a line of a log, or whatever is said; what is JSON stays JSON."""
        return self.whole(line.encode(errors="surrogatepass")).decode(errors="replace")

    def mend(self, value: Any) -> bool:
        """Redact the strings, keys and numbers in a JSON list or object, in place; says whether there were any.

        Raises RecursionError.
        """
        changed = False
        for slot, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            clean = self._item(item)
            changed = changed or clean is not item
            if isinstance(item, (dict, list)):
                changed = self.mend(item) or changed
            if isinstance(slot, str) and (name := self.text(slot)) is not slot:
                del value[slot]
                value[name] = clean
                changed = True
            else:
                value[slot] = clean
        return changed

    def _item(self, item: Any) -> Any:
        if isinstance(item, str):
            return self.text(item)
        if isinstance(item, (int, float)) and self._matcher.find(json.dumps(item).encode()):
            return MARK.decode()
        return item

    def stream(self) -> "Stream":
        """Begin to redact bytes of no certain form that come in pieces."""
        return Stream(self._matcher)

    def events(self) -> Events:
        """Begin to redact a stream of server-sent events, whose texts are cut into deltas."""
        return Events(self, self._matcher)

    def _bytes(self, data: bytes) -> bytes:
        spans = self._matcher.find(data)
        if not spans:
            return data
        parts = []
        at = 0
        for start, end in spans:
            parts += [data[at:start], MARK]
            at = end
        return b"".join([*parts, data[at:]])


class Stream:
    """Bytes in pieces. Only an end waits with which a value could begin, at most HELD_BYTES."""

    def __init__(self, matcher: Matcher) -> None:
        self._flow = Flow(matcher, short=True)
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece and give what may be passed on."""
        flow = self._flow
        flow.take(piece)
        if flow.length - flow.held > HELD_BYTES:
            flow.mask()
        data = self._held + piece if self._held else piece
        ready = flow.held - flow.decided
        self._held = data[ready:]
        return flow.pass_on(data[:ready])

    def end(self) -> bytes:
        """Give what still waits: no value became whole."""
        held, self._held = self._held, b""
        return self._flow.pass_on(held)
