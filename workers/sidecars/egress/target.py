"""Where a request wants to go, read from what it says in three places: its target, its Host, its ClientHello."""

import re
from dataclasses import dataclass

from signet.policy.hosts import place
from workers.sidecars.egress.denial import malformed
from workers.sidecars.egress.head import Head

HTTP, HTTPS = 80, 443
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/?#\\]+)(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(r"(?i:http)://([^/?#]*)(/[^#]*|\?[^#]*)?")
_MOST = 65535


@dataclass(frozen=True, slots=True)
class Target:
    """A host in its one spelling (lower case, no last dot, addresses recognised) and a port. `literal`: an address."""

    host: str
    port: int
    literal: bool = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def authority(self, usual: int) -> str:
        """Write it as a Host header does: without the port where it is the usual one."""
        return str(self).removesuffix(f":{usual}")


def authority(text: str, usual: int | None) -> Target:
    """Read `host:port`; the port may be left out where there is a usual one. Raises Denied."""
    match = _AUTHORITY.fullmatch(text)
    found = place(match[1]) if match else None
    if not match or not found:
        raise malformed("the host is neither a name nor an address")
    port = int(match[2]) if match[2] else usual
    if port is None or not 1 <= port <= _MOST:
        raise malformed("a port of 1 to 65535 is needed")
    return Target(found.text, port, found.ip is not None)


def connect(head: Head) -> Target:
    """Read where a CONNECT wants to go. Raises Denied, also where its Host says otherwise."""
    target = authority(head.words[1], None)
    if head.all("host") and authority(head.one("host"), target.port) != target:
        raise malformed("CONNECT and its Host header name different hosts")
    return target


def absolute(head: Head) -> tuple[Target, str]:
    """Read where a request of a proxy's client wants to go, and its path with the query. Raises Denied."""
    match = _ABSOLUTE.fullmatch(head.words[1])
    if not match:
        raise malformed("this is a proxy: it takes CONNECT host:port, and http:// targets")
    target = authority(match[1], HTTP)
    if head.all("host") and authority(head.one("host"), HTTP) != target:
        raise malformed("the target and the Host header name different hosts")
    path = match[2] or "/"
    return target, path if path.startswith("/") else f"/{path}"


def origin(head: Head, target: Target, usual: int) -> str:
    """Read the path of a request within a tunnel, whose Host has to be the tunnel's. Raises Denied."""
    if not head.words[1].startswith("/") or "#" in head.words[1]:
        raise malformed("a path is needed within a tunnel")
    if not head.all("host") or authority(head.one("host"), usual) != target:
        raise malformed("the Host header and CONNECT name different hosts")
    return head.words[1]
