"""The upstream leg: what a call needs of an HTTP client, whichever it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


@dataclass(frozen=True)
class Target:
    """Where a request goes. `base_url` ends without a slash; `socket` is a unix socket to dial instead of its host.

    `headers` are sent besides, by lower-case name, over those of the router's own. `key` goes as a bearer token unless
    they carry a credential already (`authorization` or `x-api-key`).
    """

    base_url: str
    key: str = field(default="", repr=False)
    socket: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True)
class Request:
    """What goes there: a path below the base address, perhaps with a query, and a body.

    `method` empty is POST with a body, else GET. `content_type` is the body's, empty for one that is not said.
    """

    path: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    method: str = ""
    content_type: str = "application/json"


class Fault(Enum):
    """What an upstream did instead of answering."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"


class WireError(Exception):
    """Raised when an upstream cannot be reached or breaks off. The message names no key and no body."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class Answer(Protocol):
    """An answer whose head is here, and whose body is on its way. Must be closed."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name."""

    async def read(self) -> bytes:
        """Give the body's next piece when it has come; b"" at the end. Raises WireError."""

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        """Call `take` with each piece of the body in the moment in which it comes, until it says False.

        Returns then, or where nothing more comes, which `read` tells. Raises what `take` raises.
        """

    async def aclose(self) -> None:
        """Let go: the connection is kept if the body was read whole, and closed at once if not."""


class Wire(Protocol):
    """Opens calls to upstreams, and keeps connections between them."""

    async def open(self, target: Target, request: Request) -> Answer:
        """Send a request and wait for the answer's head. Raises WireError. Cancelling closes the connection."""

    async def aclose(self) -> None:
        """Close every connection."""
