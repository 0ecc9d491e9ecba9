"""Something that is measured: how it is asked, and which processes are its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmark.router.cells import Cell

PATH = "/v1/chat/completions"
_SYSTEM = "You are a helpful agent. " * 20
_QUESTION = "Summarise the repository."


@dataclass(frozen=True)
class Target:
    """An endpoint of OpenAI's form on loopback. `pids` are the roots of its process trees; the upstream has none.

    `models` are the names under which it knows the upstream's `burst` and `paced`. `slow` says to give it the time that
    a cell has for slow ones.
    """

    name: str
    port: int
    path: str = PATH
    headers: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=lambda: {"burst": "burst", "paced": "paced"})
    pids: tuple[int, ...] = ()
    slow: bool = False
    version: str = ""

    def request(self, form: str) -> bytes:
        """Write a call of one of the forms of a cell, about 700 bytes. A stream asks for its usage."""
        body: dict[str, object] = {
            "model": self.models["paced" if form == "paced" else "burst"],
            "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _QUESTION}],
        }
        if form != "json":
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        text = json.dumps(body, separators=(",", ":")).encode()
        fields = {"host": f"127.0.0.1:{self.port}", "content-type": "application/json", **self.headers}
        head = f"POST {self.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{head}content-length: {len(text)}\r\n\r\n".encode() + text

    def seconds(self, cell: Cell) -> float:
        """Say how long calls are begun in a cell."""
        return cell.seconds * (cell.slow if self.slow else 1.0)
