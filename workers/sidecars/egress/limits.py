"""What one sandbox may use of the way out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one sandbox's sidecar. At a bound the request is refused, or the connection closed, and it is reported.

    `connections` are those open at once: one more is answered 503. `head_bytes` and `headers` bound a request's or an
    answer's head (431, 502). `handshake_seconds` bound a request's head, a ClientHello, and a TLS handshake;
    `dial_seconds` the look-up of a name, and one connection to an address; `idle_seconds` the silence on a connection;
    `total_bytes` what one connection carries both ways.
    """

    connections: int = 64
    head_bytes: int = 32 * 1024
    headers: int = 100
    handshake_seconds: float = 15.0
    dial_seconds: float = 10.0
    idle_seconds: float = 300.0
    total_bytes: int = 64 * 1024**3

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"limits.{name} is {getattr(self, name)}; it has to be more than 0.")
