"""Pages of a list: a token names a position in one list with one set of filters, and fits no other."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass

from google.protobuf.message import Message

from signet.kit.errors import InvalidArgument, invalid

DEFAULT_SIZE = 50
MAX_SIZE = 1000


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for: at most `size` rows after `position` (None: from the start)."""

    size: int
    position: tuple[str | int, ...] | None
    list_id: str

    @classmethod
    def parse(cls, request: Message) -> "Page":
        """Read page_size and page_token of a List request; every other field of it is a filter that binds the token.

        Raises InvalidArgument for a size outside 0-1000, and for a token that is garbage or another list's.
        """
        size: int = request.page_size  # type: ignore[attr-defined] # every List request has it
        token: str = request.page_token  # type: ignore[attr-defined] # as above
        if not 0 <= size <= MAX_SIZE:
            raise invalid(("page_size", f"must be 0 (for {DEFAULT_SIZE}) to {MAX_SIZE}, not {size}"))
        list_id = _list_id(request)
        return cls(size or DEFAULT_SIZE, _position(token, list_id) if token else None, list_id)

    def token(self, *position: str | int) -> str:
        """Make the token of the page after the row at `position`."""
        return urlsafe_b64encode(json.dumps([self.list_id, *position]).encode()).decode()


def _list_id(request: Message) -> str:
    filters = type(request)()
    filters.CopyFrom(request)
    filters.ClearField("page_size")
    filters.ClearField("page_token")
    content = request.DESCRIPTOR.full_name.encode() + filters.SerializeToString(deterministic=True)
    return hashlib.sha256(content).hexdigest()[:16]


def _position(token: str, list_id: str) -> tuple[str | int, ...]:
    try:
        found, *position = json.loads(urlsafe_b64decode(token.encode()))
    except (Base64Error, ValueError, TypeError, UnicodeError):
        found, position = None, []
    if found != list_id or not all(isinstance(part, str | int) for part in position):
        raise InvalidArgument(
            "INVALID_PAGE_TOKEN",
            "page_token belongs to another list, or to this one with other filters",
            hint="begin again without page_token",
        )
    return tuple(position)
