"""How a secret value may be written. Pure."""

import base64
import json
import re
from urllib.parse import quote

LEAST_BYTES = 4
"""A shorter form would take ordinary text with it, and hides nothing."""

_ENCODED_BYTES = 8  # a shorter value is not looked for in base64 and hex, where its form would be as short
_ESCAPED = re.compile(rb"%[0-9A-F]{2}")
_NO_SECRETS = frozenset({"EMPTY", "dummy", "lm-studio", "no-key", "none", "not-needed", "ollama", "sk-no-key-required"})
"""What guides of local servers tell everybody to send as a key: to take these words out of answers hides nothing."""


def forms(value: str) -> set[bytes]:
    """Give a value as it is, escaped for JSON (twice, too), for URLs, in hex, and in base64 wherever it begins in it.

    Empty for a value of less than LEAST_BYTES, and for the words that local servers take as a key.
    """
    plain = value.encode(errors="surrogatepass")
    if len(plain) < LEAST_BYTES or value in _NO_SECRETS:
        return set()
    escaped = json.dumps(value)[1:-1]
    quoted = quote(plain, safe="").encode()
    found = {
        plain,
        escaped.encode(),
        json.dumps(value, ensure_ascii=False)[1:-1].encode(errors="surrogatepass"),
        json.dumps(escaped)[1:-1].encode(),
        quoted,
        _ESCAPED.sub(lambda match: match[0].lower(), quoted),
        quote(plain).encode(),
        quote(plain, safe=" ").replace(" ", "+").encode(),
    }
    if len(plain) >= _ENCODED_BYTES:
        found |= {plain.hex().encode(), plain.hex().upper().encode()}
        for offset in range(3):
            inner = _inner(plain, offset)
            found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def _inner(plain: bytes, offset: int) -> bytes:
    """Give the base64 letters that depend on the value alone, where it begins `offset` bytes into a group of three."""
    encoded = base64.b64encode(b"\0" * offset + plain)
    return encoded[-(-offset * 8 // 6) : (offset + len(plain)) * 8 // 6]
