"""What the router asks of its child, a line of JSON each way."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Plan:
    """What the child is to serve. It comes on standard input, whose end is the child's end too.

    Paths are absolute. An empty `gguf` means the packaged chat weights; `sha256` is checked in either case, and may be
    empty only with the packaged ones. `name` is the chat model's upstream name, `context_tokens` a slot's share,
    `cache_mib` the bound of the cache of prompts.
    """

    chat_socket: str
    embeddings_socket: str
    verified: str
    name: str = "smollm2"
    gguf: str = ""
    sha256: str = ""
    slots: int = 2
    context_tokens: int = 4096
    threads: int = 2
    cache_mib: int = 32

    def line(self) -> bytes:
        """Write it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Plan":
        """Read it. Raises ValueError or TypeError."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Report:
    """What became of one part, `chat` or `embeddings`: ready with the weights' sha256, or not, and why."""

    part: str
    ready: bool
    sha256: str = ""
    detail: str = ""

    def line(self) -> bytes:
        """Write it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Report":
        """Read it. Raises ValueError or TypeError."""
        return cls(**json.loads(line))
