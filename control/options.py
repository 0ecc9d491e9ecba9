"""Control's options, section `control`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How control serves and where its bounds lie. Raises ValueError for one out of range."""

    port: int = 7410
    """TCP port on loopback; 0 for none, the unix socket is there always."""
    host: str = "127.0.0.1"
    """Address that the TCP port is bound to."""
    lease_seconds: int = 10
    """How long a worker's right to a run holds without being renewed, 2-3600."""
    max_attempts: int = 2
    """How often a run is handed out before a lost worker makes it FAILED, 1-10."""
    max_pending_runs: int = 10_000
    """Runs that may wait for a worker; CreateRun beyond it is refused."""
    max_watchers: int = 1_000
    """WatchRunEvents streams at once; one more is refused."""
    max_run_events: int = 100_000
    """Events of one run; AppendEvents beyond it is refused, FinishRun is not."""
    max_run_bytes: int = 32 * 1024 * 1024
    """Bytes of one run's events, as max_run_events."""
    history_bytes: int = 512 * 1024
    """Bytes of a session's earlier messages that a run is given; older runs are left out whole."""
    router_seconds: float = 5.0
    """How long the router may take to answer."""
    models_cache_seconds: float = 5.0
    """How long its answer is used again."""

    def __post_init__(self) -> None:
        """See that every option is in range."""
        ranges = {
            "port": (0, 65535),
            "lease_seconds": (2, 3600),
            "max_attempts": (1, 10),
            "max_pending_runs": (1, 1_000_000),
            "max_watchers": (1, 100_000),
            "max_run_events": (100, 10_000_000),
            "max_run_bytes": (4 * 1024 * 1024, 1024 * 1024 * 1024),
            "history_bytes": (0, 1024 * 1024),
            "router_seconds": (0.1, 60),
            "models_cache_seconds": (0, 60),
        }
        bad = [
            f"{name} must be {low} to {high}, not {getattr(self, name)}"
            for name, (low, high) in ranges.items()
            if not low <= getattr(self, name) <= high
        ]
        if bad:
            raise ValueError("; ".join(bad))
