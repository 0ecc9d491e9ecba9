"""The supervisor's small door, `up.sock`: one JSON line asks, one answers. Only the fleet's owner reaches it."""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

_LINE_BYTES = 1 << 20
_SECONDS = 5.0

Answer = Callable[[], Mapping[str, Any]]


class Door:
    """The listening end: `async with Door(path, {"status": …}):` serves until the block ends."""

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        self._path = path
        self._answers = answers
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Begin to serve; a socket that a killed supervisor left is replaced."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_LINE_BYTES)
        self._path.chmod(0o600)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Serve no more."""
        if self._server:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_SECONDS):
                asked = (await reader.readline()).decode(errors="replace").strip()
                answer = self._answers.get(asked)
                known = answer() if answer else {"error": f"{asked!r} is not one of {', '.join(self._answers)}"}
                writer.write(json.dumps(known).encode() + b"\n")
                await writer.drain()
            await reader.read()  # keeps the line open: whoever asked to stop sees the end of it
        writer.close()


def ask(path: Path, question: str, until_gone_seconds: float = 0.0) -> dict[str, Any] | None:
    """Ask the supervisor; None where none runs. With `until_gone_seconds`, come back when it has gone.

    Raises TimeoutError when it does not answer, or is still there after so long.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as line:
        line.settimeout(_SECONDS)
        try:
            line.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        line.sendall(f"{question}\n".encode())
        with line.makefile("rb") as stream:
            answer: dict[str, Any] = json.loads(stream.readline() or b"{}")
            if until_gone_seconds:
                line.settimeout(until_gone_seconds)
                stream.read()
            return answer
