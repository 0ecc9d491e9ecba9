"""Placeholders in a request: swapped for the value where it may go, and refused wherever else they appear."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

from workers.sidecars.egress.denial import Denied
from workers.sidecars.egress.head import Headers

MARK = b"signet:secret:"
LETTERS = 128
"""More than a placeholder has."""
_TEXT = re.compile(r"signet:secret:[A-Za-z0-9._-]{1,64}:[0-9a-f]{32}")
_HINT = "the policy's `secrets` name host, port, path and header; a secret is lent over TLS alone"
_BASIC = re.compile(r"(?i:basic)[ ]+([A-Za-z0-9+/=_-]+)")

Value = Callable[[str, str], str | None]
"""Give a placeholder's value for a header, by the placeholder and the header's name; None where it may not go."""


def misplaced(where: str) -> Denied:
    """Refuse a placeholder."""
    message = f"a secret's placeholder stands in {where}, where the policy does not lend it"
    return Denied(403, "secret_misplaced", message, hint=_HINT)


def check_target(target: str) -> None:
    """Refuse a placeholder in a path or a query. Raises Denied."""
    if _holds(target.encode("latin-1")) or _holds(unquote_to_bytes(target)):
        raise misplaced("the request's target")


def found(headers: Headers) -> bool:
    """Tell whether a placeholder is somewhere in these."""
    return any(_holds(f"{name}:{_plain(text)}".encode("latin-1", "replace")) for name, text in headers)


def swap(headers: Headers, value: Value) -> tuple[Headers, Mapping[str, str]]:
    """Swap placeholders in headers. Gives the headers, and for each new value what it was. Raises Denied."""
    swapped: dict[str, str] = {}
    done = []
    for name, text in headers:
        new = _swapped(name, text, value)
        if new != text:
            swapped[new] = text
        done.append((name, new))
    return tuple(done), swapped


class Scan:
    """Looks for placeholders in a body that goes by. An end with which one could begin is held back."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, give what may go on. Raises Denied."""
        data = self._held + piece
        if MARK in data:
            raise misplaced("the request's body")
        keep = next((size for size in range(min(len(data), len(MARK) - 1), 0, -1) if MARK.startswith(data[-size:])), 0)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        """Give what is left."""
        held, self._held = self._held, b""
        return held


def _swapped(name: str, text: str, value: Value) -> str:
    if not _holds(text.encode("latin-1", "replace")) and _holds(f"{name}:{text}".encode("latin-1", "replace")):
        raise misplaced("the name of a header")
    basic = _BASIC.fullmatch(text)
    plain = _decoded(basic[1]) if basic else ""
    if basic and _holds(plain.encode()):
        return f"Basic {base64.b64encode(_replaced(name, plain, value).encode()).decode()}"
    return _replaced(name, text, value) if _holds(text.encode("latin-1", "replace")) else text


def _replaced(name: str, text: str, value: Value) -> str:
    def one(match: "re.Match[str]") -> str:
        new = value(match[0], name)
        if new is None:
            raise misplaced(f"the header {name[:60]}")
        return new

    new = _TEXT.sub(one, text)
    if _holds(_TEXT.sub("", text).encode("utf-8", "replace")):  # what looks like one, and is none
        raise misplaced(f"the header {name[:60]}")
    return new


def _plain(text: str) -> str:
    """Give a header's value, decoded where it is Basic."""
    basic = _BASIC.fullmatch(text)
    return f"{text} {_decoded(basic[1])}" if basic else text


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _holds(data: bytes) -> bool:
    return MARK in data
