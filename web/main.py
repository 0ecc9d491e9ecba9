"""The web process: binds, serves, says when it is ready, and ends when told to."""

import asyncio
import errno
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import uvicorn

from signet.client import AsyncSignet
from signet.kit.home import Home
from signet.kit.lifecycle import StartError, notify, run_until_signalled
from signet.kit.log import get
from signet.kit.options import load
from web.app import build
from web.options import WebOptions

_GRACE_SECONDS = 3
_HEADER_BYTES = 65_536
_STUCK_MILLISECONDS = 60_000
_PATIENCE_SECONDS = 1.0  # a page says at once that control is away, and tries again by itself

_log = get("web")


class _Server(uvicorn.Server):
    """Uvicorn without its own signals, ours end it; and it says when it serves."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        notify("READY=1", self._url)
        _log.info("serving", url=self._url)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def run(home: Home, flags: Mapping[str, str]) -> int:
    """Serve the pages until a signal. Gives the exit code: 1 where it cannot start."""

    async def main(stop: asyncio.Event) -> int:
        return await serve(home, load(WebOptions, "web", home, flags), stop)

    return run_until_signalled(main)


async def serve(home: Home, options: WebOptions, stop: asyncio.Event) -> int:
    """Serve until `stop`. Raises StartError for an occupied port or an address that is not ours."""
    listener = bind(options)
    port = listener.getsockname()[1]
    client = AsyncSignet(
        control=options.control or home.target("control.sock"),
        router=options.router or home.target("router.sock"),
        timeout_seconds=options.seconds,
        patience_seconds=_PATIENCE_SECONDS,
    )
    async with client:
        app, site = build(options, client, port)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",  # ours says it, without a traceback
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            lifespan="off",
            ws="none",
        )
        server = _Server(config, f"http://{options.host}:{port}/")
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        site.closing.set()  # streams end, and browsers come back to whoever serves next
        server.should_exit = True
        stopping.cancel()
        await serving
    return 0


def bind(options: WebOptions) -> socket.socket:
    """Take the address. Raises StartError that names it and the options that choose another."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # connections inherit it: a reader that takes nothing for so long is cut off, whatever is still buffered for it
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STUCK_MILLISECONDS)
    try:
        listener.bind((options.host, options.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        where = f"{options.host}:{options.port}"
        if error.errno == errno.EADDRINUSE:
            problem = f"cannot serve the pages on {where}: another program has port {options.port}"
        else:
            problem = f"cannot serve the pages on {where}: {error.strerror or error}"
        raise StartError(
            f"{problem}. Choose another with the option web.port (or web.host): "
            "in config.yaml, SIGNET_WEB_PORT, or --set port="
        ) from error
    listener.setblocking(False)
    return listener
