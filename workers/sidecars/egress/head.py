"""The heads of HTTP/1.1 messages, strictly: what two readers could understand differently is refused."""

import re
from dataclasses import dataclass

from workers.sidecars.egress.denial import Denied, Gone, malformed
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.wire import Wire

_REQUEST = re.compile(rb"([A-Z][A-Z_-]{0,31}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_FORBIDDEN = re.compile(rb"(?<!\r)\n|\r[^\n]|\0")
"""A line that ends with LF alone, a CR within a line, a NUL: where readers differ most."""

HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade", "content-length", "expect", "http2-settings"}
)  # fmt: skip
"""Headers that speak of one connection, or of framing, which is written anew on the next one."""
KEPT = frozenset({"host", "authorization", "cookie", "content-type", "content-encoding"})
"""Headers that `connection` may not name: dropping them would change what a request means."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A first line's words, the minor version, and the headers in order, their names as written."""

    words: tuple[str, str]
    minor: int
    headers: Headers

    def all(self, name: str) -> list[str]:
        """Give every value of a header, which is named in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def one(self, name: str) -> str:
        """Give a header's value, "" where it is missing."""
        return (self.all(name) or [""])[-1]

    def listed(self, name: str) -> set[str]:
        """Give the members of a header that is a list, in lower case."""
        return {word.strip(" \t").lower() for value in self.all(name) for word in value.split(",")} - {""}

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this message."""
        words = self.listed("connection") | self.listed("proxy-connection")
        return "close" in words or (self.minor == 0 and "keep-alive" not in words)

    def passed(self) -> Headers:
        """Give the headers that the next connection sees. Raises Denied where `connection` names what has to stay."""
        named = self.listed("connection")
        if strange := named & KEPT:
            raise malformed(f"the connection header may not name {min(strange)}")
        return tuple(pair for pair in self.headers if pair[0].lower() not in HOP | named)


async def request(wire: Wire, limits: Limits) -> Head | None:
    """Read a request's head; None where the connection ended before it. Raises Denied, Gone."""
    lines = await _lines(wire, limits)
    if lines is None:
        return None
    match = _REQUEST.fullmatch(lines[0])
    if not match:
        raise malformed("the request line is not one of HTTP/1.1")
    if match[3] != b"1" or match[4] not in b"01":
        raise Denied(505, "http_version", "only HTTP/1.1 is spoken here")
    head = Head((match[1].decode(), match[2].decode()), int(match[4]), _headers(lines[1:]))
    hosts = len(head.all("host"))
    if hosts > 1 or (hosts == 0 and head.minor):
        raise malformed("exactly one host header is needed")
    return head


async def response(wire: Wire, limits: Limits) -> Head:
    """Read an answer's head, passing over interim ones but 101. Raises Denied where it is malformed, Gone."""
    while True:
        lines = await _lines(wire, limits)
        if lines is None:
            raise Gone("it closed without an answer")
        match = _STATUS.fullmatch(lines[0])
        if not match:
            raise malformed("its answer is no HTTP/1.1")
        if not match[2].startswith(b"1") or match[2] == b"101":
            reason = (match[3] or b"").decode("latin-1")
            return Head((match[2].decode(), reason), int(match[1]), _headers(lines[1:]))


def written(first: str, headers: Headers, *more: str) -> bytes:
    """Write a head: the first line, headers, and further lines."""
    lines = [first, *(f"{name}: {value}" for name, value in headers), *more, "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def _lines(wire: Wire, limits: Limits) -> list[bytes] | None:
    while (end := wire.buffer.find(b"\r\n\r\n")) < 0:
        if _FORBIDDEN.search(wire.buffer):
            raise malformed("a line ends with LF alone, or holds a CR or a NUL")
        if len(wire.buffer) > limits.head_bytes:
            raise _too_large(limits)
        if not await wire.fill():
            if wire.buffer:
                raise Gone("a head ended too early")
            return None
    head = bytes(wire.buffer[:end])
    del wire.buffer[: end + 4]
    if _FORBIDDEN.search(head):
        raise malformed("a line ends with LF alone, or holds a CR or a NUL")
    lines = head.split(b"\r\n")
    if end > limits.head_bytes or len(lines) > limits.headers + 1:
        raise _too_large(limits)
    return lines


def _too_large(limits: Limits) -> Denied:
    most = f"a head may have {limits.head_bytes} bytes and {limits.headers} headers at most"
    return Denied(431, "headers_too_large", most)


def _headers(lines: list[bytes]) -> Headers:
    """Read header lines. A folded line, a blank before the colon and a control character all fail the pattern."""
    found = [_HEADER.fullmatch(line) for line in lines]
    if not all(found):
        raise malformed("a header is malformed, or folded over lines")
    return tuple((m[1].decode(), m[2].decode("latin-1").strip(" \t")) for m in found if m)
