"""Taking values out of a stream: wherever one appears, also over the borders of pieces, its placeholder stands."""

import base64
import json
import re
from collections.abc import Mapping
from urllib.parse import quote


class Redactor:
    """`values` are placeholders by the value that they stand for. `hits` counts what was replaced.

    Values are replaced as they are, escaped for JSON, escaped for a URL, and in base64 as a whole. A few bytes with
    which a value could begin wait for those that follow.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        forms = {form: text for value, text in values.items() for form in _forms(value)}
        self._forms = {form: text.encode() for form, text in forms.items()}
        ordered = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, ordered))) if ordered else None
        self._longest = len(ordered[0]) if ordered else 0
        self._held = b""
        self.hits = 0

    def __bool__(self) -> bool:
        return self._pattern is not None

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, give what may be passed on: all but an end with which a value could begin."""
        if self._pattern is None:
            return piece
        data = self.whole(self._held + piece)
        keep = self._beginning(data)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        """Give what is left."""
        held, self._held = self._held, b""
        return held

    def whole(self, data: bytes) -> bytes:
        """Redact what is there whole."""
        if self._pattern is None:
            return data
        data, hits = self._pattern.subn(lambda match: self._forms[match[0]], data)
        self.hits += hits
        return data

    def text(self, text: str) -> str:
        """Redact a header's value."""
        return self.whole(text.encode("latin-1", "replace")).decode("latin-1")

    def _beginning(self, data: bytes) -> int:
        """Say how many of the last bytes are the begin of a value."""
        for size in range(min(len(data), self._longest - 1), 0, -1):
            end = data[-size:]
            if any(form.startswith(end) for form in self._forms):
                return size
        return 0


def _forms(value: str) -> set[bytes]:
    plain = value.encode()
    return {
        plain,
        json.dumps(value)[1:-1].encode(),
        json.dumps(value, ensure_ascii=False)[1:-1].encode(),
        quote(value, safe="").encode(),
        base64.b64encode(plain),
    }
