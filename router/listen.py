"""The door's sockets and its HTTP server: uvicorn without its own signals, logs and headers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from router.joined import JoinedProtocol
from signet.kit.lifecycle import StartError

_BACKLOG = 512
_KEEP_SECONDS = 75
_START_SECONDS = 10.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()
        self.leaves = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it listens."""
        await super().startup(sockets)
        self.listens.set()

    async def main_loop(self) -> None:
        """Wait to be told, where uvicorn would look ten times a second."""
        await self.leaves.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


@contextlib.asynccontextmanager
async def listening(app: Any, *, unix: Path, port: int, connections: int, grace_seconds: int) -> AsyncIterator[int]:
    """Serve an ASGI application on a unix socket and, unless `port` is 0, on loopback; gives the port.

    On leaving, calls that run have `grace_seconds`. Raises StartError for an occupied port.
    """
    sockets = [*([_loopback(port)] if port else []), _unix(unix)]
    config = uvicorn.Config(
        app, http=JoinedProtocol, ws="none", lifespan="off", loop="none", log_config=None, log_level="critical",
        access_log=False, proxy_headers=False, server_header=False, date_header=False, limit_concurrency=connections,
        timeout_keep_alive=_KEEP_SECONDS, timeout_graceful_shutdown=grace_seconds,
    )  # fmt: skip
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=sockets))
    try:
        async with asyncio.timeout(_START_SECONDS):
            await server.listens.wait()
        yield port
    finally:
        server.leaves.set()
        await asyncio.wait([serving])
        for each in sockets:
            each.close()


def _unix(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)  # its folder is private already
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _loopback(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise StartError(
            f"the door cannot listen on 127.0.0.1:{port}: {error.strerror}. "
            "Choose another router.door_port, or 0 for none"
        ) from error
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
