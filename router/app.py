"""The router as a process: what runs for as long as it serves."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from router.address import Address
from router.embedded.child import Child
from router.embedded.watched import watched
from router.options import RouterOptions
from router.providers.given import given
from signet.kit import log as logs
from signet.kit.home import Home
from signet.kit.lifecycle import notify
from signet.kit.log import Log

if TYPE_CHECKING:
    from router.assembly import Assembly
    from router.authorise import Callers
    from router.budgets.meter import Meter
    from router.fleet import Fleet
    from router.replicas.place import Books
    from router.store.ledger import Ledger
    from signet.kit.rpc import Guard

NEWER_SCHEMA = 6
"""Exit code for a database that a newer Signet wrote."""

FENCED = 7
"""Exit code of a router that those with whom it shares a database took for dead: it has to be started anew."""

_GRACE_SECONDS = 3
_AROUND_BYTES = 64 << 10  # what a message has around a body
_ASKING = "/signet.v1.InferenceService/"  # whose callers are identified as the door's are, by tokens of runs, too


@dataclass(frozen=True)
class App:
    """What serves: for tests that look behind the door."""

    fleet: "Fleet"
    ledger: "Ledger"
    meter: "Meter"
    port: int
    door_port: int
    fenced: asyncio.Event


async def run(home: Home, options: RouterOptions, stop: asyncio.Event) -> int:
    """Serve until told to stop; gives the exit code."""
    async with AsyncExitStack() as stack:
        # The weights take longest to load, so their process is started before the rest is even imported.
        child = await stack.enter_async_context(watched(home, options)) if options.embedded else None
        from router.store.database import NewerSchema

        try:
            app = await stack.enter_async_context(serving(home, options, os.environ, child))
        except NewerSchema as error:
            return _refuse(str(error))
        logs.get("router").info("ready")
        notify("READY=1", f"models can be asked{_sharing(options)}")
        _settle_memory()
        await _first(stop, app.fenced)
    return 0 if stop.is_set() else FENCED


@asynccontextmanager
async def serving(
    home: Home, options: RouterOptions, environment: Mapping[str, str], child: Child | None
) -> AsyncIterator[App]:
    """Serve the door and the services until the context is left. Raises StartError, HomeError."""
    from router.assembly import Foundation, assembled
    from router.authorise import Callers
    from router.control import asking
    from router.keeping import keeping
    from router.observe.observing import observing
    from router.replicas.place import counting, opened
    from signet.kit import dial

    async with (
        opened(home, options) as place,
        keeping(home, place.engine, environment, options.secrets_folder, logs.get("router")) as kept,
        counting(place, kept.log) as books,
        observing(options.otlp_endpoint, environment, version("signet")) as observer,
        dial.channel(home.target("control.sock")) as control,
    ):
        callers = Callers(asking(control))
        base = Foundation(place.engine, books, kept, observer, callers, home.key("run.key"))
        parts = assembled(base, options, environment, child)
        try:
            await parts.fleet.start(given(options, environment, kept.redactor.know))
            _follow(books, parts)
            async with _listening(home, options, parts, _guard(kept.log, callers)) as (port, door_port):
                yield App(parts.fleet, parts.ledger, parts.meter, port, door_port, books.fenced)
        finally:
            await parts.fleet.aclose()
            await parts.wire.aclose()


@asynccontextmanager
async def _listening(
    home: Home, options: RouterOptions, parts: "Assembly", guard: "Guard"
) -> AsyncIterator[tuple[int, int]]:
    """Serve on every socket; gives the ports of gRPC and of the door."""
    from router.listen import listening
    from router.services.every import services
    from signet.kit import rpc

    async with (
        rpc.serving(
            services(parts, options),
            unix=home.socket("router.sock"),
            tcp=f"127.0.0.1:{options.port}" if options.port else None,
            guard=guard,
            receive_bytes=options.body_bytes + _AROUND_BYTES,
        ) as port,
        listening(
            parts.door,
            unix=home.socket("door.sock"),
            port=options.door_port,
            connections=options.connections,
            grace_seconds=_GRACE_SECONDS,
        ) as door_port,
    ):
        yield port, door_port


def _guard(log: Log, callers: "Callers") -> "Guard":
    from router.authorise import permit
    from signet.kit import rpc

    return rpc.Guard(log, callers.authenticate, permit, open_methods=(*rpc.OPEN_METHODS, _ASKING))


def _follow(books: "Books", parts: "Assembly") -> None:
    """Take up what other routers change that share the database."""
    books.follow(parts.fleet.reload, "providers", "settings")
    books.follow(parts.fleet.routes.reload, "routes")
    books.follow(parts.secrets.learn, "secrets")


def _sharing(options: RouterOptions) -> str:
    return f", shares {Address(options.database)}" if options.database else ""


async def _first(*events: asyncio.Event) -> None:
    """Wait for any of them."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _settle_memory() -> None:
    """Let the collector pass over what stays for good: to look through it again and again is a tenth of a call."""
    gc.collect()
    gc.freeze()


def _refuse(message: str) -> int:
    logs.get("router").error("start_failed", message=message)
    notify("ERRNO=1", message)
    return NEWER_SCHEMA
