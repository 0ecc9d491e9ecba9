"""Where an API's credential goes, and what of a caller's request goes there with it. Pure.

What a caller says in the credential's place is dropped, and so is what proves who it is to the router, what is of one
connection only, and what would have the API do something else than was decided on.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

HEADER, QUERY = "header", "query"
MAX_PREFIX = 64

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_QUERY_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_PREFIX = re.compile(r"[\x20-\x7e]*")

CONNECTION = frozenset(
    {
        "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Of one connection: written anew on each."""

_IDENTITY = frozenset({"authorization", "cookie", "cookie2", "forwarded", "via", "x-api-key", "x-real-ip"})
"""Who calls, and by which way: the API is called in the router's name, not in the caller's."""

_TRICKS = frozenset(
    {
        "accept-encoding", "if-range", "range", "x-http-method", "x-http-method-override", "x-method-override",
        "x-original-method", "x-original-uri", "x-original-url", "x-override-url", "x-rewrite-url",
    }
)  # fmt: skip
"""What changes method or path behind the decision, or has a credential come back in parts or in another coding."""

_OURS = ("x-signet-", "proxy-")
_PREFIXES = ("x-forwarded-", *_OURS)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

VIA = "1.1 signet"
"""Said of every call, so that a router that is an API's address knows its own call again."""


@dataclass(frozen=True)
class Place:
    """A header with a prefix before the credential, or a parameter of the query. `kind` empty: nowhere."""

    kind: str = ""
    name: str = ""
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f":{self.prefix}" if self.prefix else "") if self.kind else ""


NOWHERE = Place()


def place(text: str) -> Place:
    """Read `header:NAME`, `header:NAME:PREFIX` or `query:NAME`. Raises ValueError that says what is wrong."""
    if not text:
        return NOWHERE
    kind, _, rest = text.partition(":")
    name, _, prefix = rest.partition(":")
    if kind == QUERY and rest == name and _QUERY_NAME.fullmatch(name):
        return Place(QUERY, name)
    if kind != HEADER or not _NAME.fullmatch(name) or len(prefix) > MAX_PREFIX or not _PREFIX.fullmatch(prefix):
        raise ValueError(
            "must be `header:NAME`, `header:NAME:PREFIX` or `query:NAME`, a name of 1-64 letters, a prefix of at most "
            f"{MAX_PREFIX} printable ones"
        )
    low = name.lower()
    if low in {*CONNECTION, "accept-encoding", "via"}:
        raise ValueError(f"the header {low} is of the connection and carries no credential")
    return Place(HEADER, name, prefix)


def headers(given: Iterable[tuple[str, str]], where: Place, credential: str) -> dict[str, str]:
    """Give what the API is sent of a caller's headers, the credential among them; names are in lower case.

    `given`: names and values as they came. What the header `connection` names is of the connection, too. Several of
    one name become one. A name that servers take for the credential's, with _ for -, is dropped with it.
    """
    given = [(name.lower(), value) for name, value in given]
    named = {word.strip().lower() for name, value in given if name == "connection" for word in value.split(",")}
    ours = where.name.lower() if where.kind == HEADER else ""
    found: dict[str, str] = {}
    for name, value in given:
        plain = name.replace("_", "-")
        if name in named or _dropped(plain) or plain == ours.replace("_", "-"):
            continue
        found[name] = f"{found[name]}, {value}" if name in found else value
    if ours:
        found[ours] = where.prefix + credential
    found["via"] = VIA
    return found


def query(given: str, where: Place, credential: str) -> str:
    """Give the query that the API is sent; what the caller said in the credential's place is taken out."""
    if where.kind != QUERY:
        return given
    kept = [part for part in given.split("&") if part and not _names(part, where.name)]
    return "&".join([*kept, f"{where.name}={quote(credential, safe='')}"])


def answered(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give what a caller is told of an answer's headers, names in lower case.

    What is of the connection is not, nor cookies, which can be worth as much as the credential, nor what only the
    router says; the length is not, as redaction changes it.
    """
    given = [(name.lower(), value) for name, value in given]
    named = {word.strip().lower() for name, value in given if name == "connection" for word in value.split(",")}
    dropped = {*CONNECTION, *named, "set-cookie", "set-cookie2"}
    return [
        (name, value)
        for name, value in given
        if name not in dropped and not name.startswith(_OURS) and not _CONTROL.search(value)
    ]


def looped(given: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a router sent this as a call of an API."""
    return any(name.lower() == "via" and VIA in value for name, value in given)


def _dropped(name: str) -> bool:
    return name in CONNECTION or name in _IDENTITY or name in _TRICKS or name.startswith(_PREFIXES)


def _names(part: str, name: str) -> bool:
    """Tell whether a part of a query sets a parameter, also for servers that divide at semicolons, too."""
    return any(unquote_plus(each.partition("=")[0]).lower() == name.lower() for each in part.split(";"))
