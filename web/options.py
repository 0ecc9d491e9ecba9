"""Options of the web process."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WebOptions:
    """Where the pages are served, and under which names.

    `host`: address to listen on; loopback unless a proxy with TLS stands before it. `port`: 1-65535, 0 for any free
    one. `names`: further Host names that are answered, with commas between; others are refused, so that a page
    elsewhere cannot reach this one through a name of its own. `secure`: mark the cookie for HTTPS only. `streams`:
    event streams open at once. `seconds`: how long control may take to answer for a page. `control`, `router`: gRPC
    targets; empty for the sockets of the data folder.
    """

    host: str = "127.0.0.1"
    port: int = 7400
    names: str = ""
    secure: bool = False
    streams: int = 256
    seconds: float = 10.0
    control: str = ""
    router: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:  # noqa: PLR2004 - what TCP has
            raise ValueError(f"port must be 0-65535, not {self.port}")
        if self.streams < 1:
            raise ValueError(f"streams must be at least 1, not {self.streams}")
        if self.seconds <= 0:
            raise ValueError(f"seconds must be more than 0, not {self.seconds}")

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Host names that are answered, without ports, in lower case."""
        said = {name.strip().lower() for name in self.names.split(",") if name.strip()}
        return frozenset({"127.0.0.1", "localhost", "[::1]", self.host.lower()} | said)
