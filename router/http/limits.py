"""What the client keeps, and how long it waits where nobody else's deadline counts."""

from dataclasses import dataclass

MAX_HEAD_BYTES = 64 << 10
"""Of an answer's headers, of its trailers, and of what frames its body between two pieces."""

MAX_LINE_BYTES = 32 << 10
"""Of one header."""

MAX_FIELDS = 256
"""Headers of an answer, those before it and its trailers included."""

HIGH_BYTES = 256 << 10
"""Body that nobody has read yet, above which no more is taken from the socket (one read of it may come on top)."""


@dataclass(frozen=True)
class Limits:
    """For each endpoint: connections at most, idle ones of them, and for how long; seconds.

    An idle connection is closed after `idle_seconds`, or before its server's own `keep-alive: timeout`; one that is
    older than `age_seconds` takes no more calls, so that a change of address is noticed. A call waits `turn_seconds`
    for a connection where all are busy, `connect_seconds` for one to be made (name looked up, TLS and proxy included),
    and `write_seconds` for its server to take any more of the request.
    """

    connections: int = 128
    idle: int = 64
    idle_seconds: float = 30.0
    age_seconds: float = 600.0
    turn_seconds: float = 5.0
    connect_seconds: float = 5.0
    write_seconds: float = 30.0
