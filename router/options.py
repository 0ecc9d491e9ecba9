"""Options of the router, section `router`."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from router.address import trouble as address_trouble

_LEAST_DEAD_SECONDS = 1.0


@dataclass(frozen=True)
class Deadlines:
    """How long an upstream may take: to connect, to its first byte, between two pieces, and over all; seconds."""

    connect_seconds: float = 5.0
    first_byte_seconds: float = 120.0
    idle_seconds: float = 60.0
    total_seconds: float = 600.0


@dataclass(frozen=True)
class RouterOptions:
    """Everything that may be set. Sizes are bytes, times seconds; a port of 0 means: not on TCP.

    `concurrency` calls run at one provider at a time, `queue` more wait for their turn, and the next one is
    refused with 429. `output_tokens` is put into requests that name no limit, where a budget needs one. `embedded_gguf`
    replaces the packaged chat weights by a file, which is then named `embedded_name` (default: as the file) and chooses
    tools itself if `embedded_tools` is on. `embedded_threads` 0 means one for each CPU, at most 8.
    `database` is the address of a PostgreSQL that several routers share, empty for a SQLite of one's own; its password
    is the first line of `database_password_file`, else PGPASSWORD. A router that gives it no sign of life for
    `database_dead_seconds` is taken for dead by the others, and has to end.
    `otlp_endpoint`: where spans go, for example http://127.0.0.1:4318; empty for what the environment says.
    `secrets_folder` has secrets as files: see `router.given`.
    """

    port: int = 7411
    door_port: int = 0
    embedded: bool = True
    embedded_gguf: str = ""
    embedded_sha256: str = ""
    embedded_name: str = ""
    embedded_tools: bool = False
    embedded_slots: int = 2
    embedded_context_tokens: int = 4096
    embedded_threads: int = 0
    embedded_cache_mib: int = 32
    connect_seconds: float = 5.0
    first_byte_seconds: float = 120.0
    idle_seconds: float = 60.0
    total_seconds: float = 600.0
    body_bytes: int = 16 << 20
    answer_bytes: int = 64 << 20
    output_tokens: int = 4096
    concurrency: int = 64
    queue: int = 256
    connections: int = 1024
    secrets_folder: str = ""
    otlp_endpoint: str = ""
    database: str = field(default="", repr=False)
    database_password_file: str = ""
    database_dead_seconds: float = 15.0

    def __post_init__(self) -> None:
        """Refuse what cannot work, all of it together."""
        problems = [
            f"{name} must be 0 to 65535"
            for name in ("port", "door_port")
            if not 0 <= getattr(self, name) <= 65535  # noqa: PLR2004 - TCP's ports
        ]
        problems += [f"{name} must be above 0" for name in _POSITIVE if getattr(self, name) <= 0]
        problems += [f"{name} must not be below 0" for name in _NATURAL if getattr(self, name) < 0]
        if self.database and (wrong := address_trouble(self.database)):
            problems.append(f"database {wrong}")
        if self.database_dead_seconds < _LEAST_DEAD_SECONDS:
            problems.append(f"database_dead_seconds must be at least {_LEAST_DEAD_SECONDS:g}")
        if self.embedded_gguf and not self.embedded_sha256:
            problems.append("embedded_gguf needs embedded_sha256, the weights' digest (sha256sum FILE)")
        if self.embedded_gguf and not Path(self.embedded_gguf).is_absolute():
            problems.append("embedded_gguf must be an absolute path")
        if self.secrets_folder and not Path(self.secrets_folder).is_absolute():
            problems.append("secrets_folder must be an absolute path")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def deadlines(self) -> Deadlines:
        """Those of a call."""
        return Deadlines(self.connect_seconds, self.first_byte_seconds, self.idle_seconds, self.total_seconds)

    @property
    def chat_name(self) -> str:
        """Name of the embedded chat model."""
        stem = Path(self.embedded_gguf).stem.lower() if self.embedded_gguf else "smollm2"
        return self.embedded_name or stem

    @property
    def threads(self) -> int:
        """Threads of the embedded models."""
        return self.embedded_threads or min(len(os.sched_getaffinity(0)), 8)


_POSITIVE = (
    "embedded_slots", "embedded_context_tokens", "connect_seconds", "first_byte_seconds", "idle_seconds",
    "total_seconds", "body_bytes", "answer_bytes", "output_tokens", "concurrency", "connections",
)  # fmt: skip
_NATURAL = ("embedded_threads", "embedded_cache_mib", "queue")
