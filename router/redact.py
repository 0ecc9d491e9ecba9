"""Keys taken out of what upstreams say: they may echo what they were sent."""

import json
import re

MARK = b"[redacted]"
_AS_IT_IS = re.compile(r"[ !#-\[\]-~]*")  # what JSON writes no other way
_SHORTEST = 4  # a shorter key would take ordinary text with it, and hides nothing


def redact(text: bytes, key: str) -> bytes:
    """Replace a key, as it is or as JSON writes it, wherever it stands."""
    if len(key) < _SHORTEST:
        return text
    plain = key.encode()
    if plain in text:
        text = text.replace(plain, MARK)
    if _AS_IT_IS.fullmatch(key):
        return text
    escaped = json.dumps(key)[1:-1].encode()
    if escaped in text:
        text = text.replace(escaped, MARK)
    return text
