"""How an answer's head says where its body ends. Strict: what two readers could read differently is refused. Pure."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum

_TIMEOUT = re.compile(r"(?:^|,)\s*timeout=(\d{1,6})\s*(?:,|$)", re.IGNORECASE)
_VERSIONS = ("1.1", "1.0")
_STATUSES = range(200, 600)

Field = tuple[bytes, bytes]


class Malformed(Exception):
    """Raised for what is no HTTP answer, or no plain one; the message quotes nothing of it."""


class Ending(Enum):
    """What ends a body: its length or last chunk, which the parser finds, or the connection's end."""

    FRAMED = "framed"
    CLOSE = "close"


def headers(fields: Sequence[Field]) -> dict[str, str]:
    """Give headers by lower-case name; several of one name are one, with commas."""
    found: dict[str, str] = {}
    for name, value in fields:
        key = str(name, "latin-1").lower()
        text = str(value, "latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def ending(version: str, status: int, found: Mapping[str, str]) -> Ending:
    """Say what ends the body of an answer that is no interim one. Raises Malformed.

    The parser has refused two lengths, a length beside chunks, and lengths that are no number already.
    """
    if version not in _VERSIONS:
        raise Malformed(f"an answer of HTTP/{version}")
    if status not in _STATUSES:
        raise Malformed(f"the status {status}")
    coding = found.get("transfer-encoding")
    if coding is not None and (version == "1.0" or coding.strip().lower() != "chunked"):
        raise Malformed("a transfer coding other than chunked")
    if found.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise Malformed("a compressed answer, which was not asked for")
    if coding is not None or "content-length" in found or status in (204, 304):
        return Ending.FRAMED
    return Ending.CLOSE


def keeps(found: Mapping[str, str], seconds: float) -> float:
    """Say for how long a connection may be kept: a second less than the server says that it does."""
    said = found.get("keep-alive")
    match = _TIMEOUT.search(said) if said else None
    return min(seconds, int(match[1]) - 1.0) if match else seconds
