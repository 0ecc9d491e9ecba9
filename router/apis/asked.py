"""What a request at the door asks of which API, read once. Pure."""

import re
from dataclasses import dataclass

from router.refusal import Refusal, bad_request
from signet.kit.names import SLUG
from signet.policy import paths

ROOT = "/apis"
_QUERY = re.compile(r"[\x21-\x7e]*")
MAX_LETTERS = 8 << 10
"""Of a path with its query."""


@dataclass(frozen=True)
class Asked:
    """`path` is what follows the API's name, as it was written; `segments` are its parts, decoded once."""

    api: str
    method: str
    path: str
    segments: tuple[str, ...]
    query: str = ""


def read(method: str, raw_path: bytes, raw_query: bytes) -> Asked:
    """Read a request's target below `/apis/`. Raises Refusal for one that servers could read in different ways."""
    path, query = str(raw_path, "latin-1"), str(raw_query, "latin-1")
    api, slash, rest = path.removeprefix(f"{ROOT}/").partition("/")
    if not path.startswith(f"{ROOT}/") or not SLUG.fullmatch(api):
        raise Refusal(404, "api_not_found", f"there is no such API; GET {ROOT} lists those that this token may call")
    below = slash + rest
    if len(below) + len(query) > MAX_LETTERS:
        raise Refusal(414, "invalid_request", f"a path with its query has at most {MAX_LETTERS} characters")
    segments = paths.clean(below or "/")
    if segments is None or not paths.sendable(path) or "?" in below:
        message = (
            "the path could be read in different ways: no . or .. and no empty segments, no encoded slashes, no "
            "backslashes, no ;, nothing encoded twice, and UTF-8"
        )
        raise bad_request(message)
    if not _QUERY.fullmatch(query) or "#" in query:
        raise bad_request("the query is printable ASCII, the rest of it %-encoded")
    return Asked(api, method, below, segments, query)
