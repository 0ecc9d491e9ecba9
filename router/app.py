"""The router put together: the only place that constructs."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.address import Address
from router.embedded.child import Child
from router.embedded.plan import Plan
from router.model import Spec
from router.options import RouterOptions
from router.price import FREE
from signet.kit import log as logs
from signet.kit.home import Home
from signet.kit.lifecycle import StartError, notify

if TYPE_CHECKING:
    from router.authorise import Authoriser
    from router.broker import Broker
    from router.budgets.meter import Meter
    from router.fleet import Fleet
    from router.keeping import Keeping
    from router.replicas.place import Books
    from router.routes.selection import Selection
    from router.secrets import Secrets
    from router.store.apis import ApiStore
    from router.store.database import AsyncEngine
    from router.store.ledger import Ledger
    from router.wire import Wire
    from signet.kit.rpc import Service

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
        child = await stack.enter_async_context(_watched(home, options)) if options.embedded else None
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
    from router.keeping import keeping
    from router.replicas.place import counting, opened

    async with (
        opened(home, options) as place,
        keeping(home, place.engine, environment, options.secrets_folder, logs.get("router")) as kept,
        counting(place, kept.log) as books,
        _serving(home, options, environment, child, engine=place.engine, books=books, kept=kept) as app,
    ):
        yield app


@asynccontextmanager
async def _serving(
    home: Home,
    options: RouterOptions,
    environment: Mapping[str, str],
    child: Child | None,
    *,
    engine: "AsyncEngine",
    books: "Books",
    kept: "Keeping",
) -> AsyncIterator[App]:
    from router.apis.credential import Credentials
    from router.apis.door import Apis
    from router.apis.rate import Rates
    from router.apis.relay import Relay
    from router.attempt import Bounds
    from router.authorise import Authoriser, Callers, permit
    from router.broker import Broker
    from router.control import asking
    from router.door import Door
    from router.doors.paths import paths
    from router.fleet import Fleet
    from router.http.client import Client
    from router.http.limits import Limits
    from router.listen import listening
    from router.prices.book import Book
    from router.providers.contract import Parts
    from router.routes.selection import Selection
    from router.routes.trial import Means
    from router.store.apis import ApiStore
    from router.store.ledger import Ledger
    from router.store.providers import ProviderStore
    from router.store.routes import RouteStore
    from signet.kit import dial, rpc

    log, secrets, meter = kept.log, kept.secrets, books.meter
    ledger = Ledger(engine)
    wire = Client(Limits(connections=options.concurrency * 2, connect_seconds=options.connect_seconds))
    model = environment.get("OPENAI_MODEL", "")
    fleet = Fleet(
        ProviderStore(engine),
        RouteStore(engine),
        kept.vault,
        Parts(wire, options, child, log),
        f"openai/{model}" if model else "",
    )
    control = dial.channel(home.target("control.sock"))
    callers = Callers(asking(control))
    authoriser = Authoriser(home.key("run.key"), callers)
    bounds = Bounds(options.deadlines, options.answer_bytes, options.output_tokens)
    book = Book()
    selection = Selection(book, fleet.models)
    broker = Broker(fleet, Means(wire, meter, book, bounds), selection, kept.redactor)
    apis = ApiStore(engine)
    relay = Relay(wire, meter, options.deadlines, kept.redactor, log)
    calls = Apis(authoriser, apis, Credentials(secrets), Rates(), relay)
    door = Door(
        paths(authoriser, broker, secrets, calls), log, body_bytes=options.body_bytes, idle_seconds=options.idle_seconds
    )
    guard = rpc.Guard(log, callers.authenticate, permit, open_methods=(*rpc.OPEN_METHODS, _ASKING))
    try:
        await fleet.start(_given(options, environment, kept.redactor.know))
        _follow(books, fleet, secrets)
        async with (
            rpc.serving(
                [
                    *_services(fleet, wire, ledger, meter, secrets),
                    _apis(apis, secrets),
                    _routes(fleet, selection),
                    _inference(authoriser, broker, options),
                ],
                unix=home.socket("router.sock"),
                tcp=f"127.0.0.1:{options.port}" if options.port else None,
                guard=guard,
                receive_bytes=options.body_bytes + _AROUND_BYTES,
            ) as port,
            listening(
                door,
                unix=home.socket("door.sock"),
                port=options.door_port,
                connections=options.connections,
                grace_seconds=_GRACE_SECONDS,
            ) as door_port,
        ):
            yield App(fleet, ledger, meter, port, door_port, books.fenced)
    finally:
        await fleet.aclose()
        await wire.aclose()
        await control.close()


def _follow(books: "Books", fleet: "Fleet", secrets: "Secrets") -> None:
    """Take up what other routers change that share the database."""
    books.follow(fleet.reload, "providers", "settings")
    books.follow(fleet.routes.reload, "routes")
    books.follow(secrets.learn, "secrets")


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


@asynccontextmanager
async def _watched(home: Home, options: RouterOptions) -> AsyncIterator[Child]:
    child = Child(_plan(home, options), logs.get("router"))
    watching = asyncio.create_task(child.run())
    try:
        await child.launched()
        yield child
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def _apis(store: "ApiStore", secrets: "Secrets") -> "Service":
    from router.services.apis import ApiServer
    from signet.kit.rpc import Service
    from signet.v1 import apis_pb2, apis_pb2_grpc

    descriptor = apis_pb2.DESCRIPTOR.services_by_name["ApiService"]
    return Service(descriptor, apis_pb2_grpc.add_ApiServiceServicer_to_server, ApiServer(store, secrets))


def _routes(fleet: "Fleet", selection: "Selection") -> "Service":
    from router.services.routes import RouteServer
    from signet.kit.rpc import Service
    from signet.v1 import routes_pb2, routes_pb2_grpc

    descriptor = routes_pb2.DESCRIPTOR.services_by_name["RouteService"]
    return Service(descriptor, routes_pb2_grpc.add_RouteServiceServicer_to_server, RouteServer(fleet, selection))


def _inference(authoriser: "Authoriser", broker: "Broker", options: RouterOptions) -> "Service":
    from router.services.inference import InferenceServer
    from signet.kit.rpc import Service
    from signet.v1 import inference_pb2, inference_pb2_grpc

    descriptor = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"]
    server = InferenceServer(authoriser, broker, options.idle_seconds)
    return Service(descriptor, inference_pb2_grpc.add_InferenceServiceServicer_to_server, server)


def _services(fleet: "Fleet", wire: "Wire", ledger: "Ledger", meter: "Meter", secrets: "Secrets") -> list["Service"]:
    from router.services.budgets import BudgetServer
    from router.services.models import Models
    from router.services.providers import Providers
    from router.services.secrets import SecretServer
    from router.services.usage import Usages
    from signet.kit.rpc import Service
    from signet.v1 import (
        budgets_pb2,
        budgets_pb2_grpc,
        models_pb2,
        models_pb2_grpc,
        providers_pb2,
        providers_pb2_grpc,
        secrets_pb2,
        secrets_pb2_grpc,
        usage_pb2,
        usage_pb2_grpc,
    )

    return [
        Service(
            budgets_pb2.DESCRIPTOR.services_by_name["BudgetService"],
            budgets_pb2_grpc.add_BudgetServiceServicer_to_server,
            BudgetServer(meter),
        ),
        Service(
            models_pb2.DESCRIPTOR.services_by_name["ModelService"],
            models_pb2_grpc.add_ModelServiceServicer_to_server,
            Models(fleet),
        ),
        Service(
            providers_pb2.DESCRIPTOR.services_by_name["ProviderService"],
            providers_pb2_grpc.add_ProviderServiceServicer_to_server,
            Providers(fleet, wire),
        ),
        Service(
            secrets_pb2.DESCRIPTOR.services_by_name["SecretService"],
            secrets_pb2_grpc.add_SecretServiceServicer_to_server,
            SecretServer(secrets),
        ),
        Service(
            usage_pb2.DESCRIPTOR.services_by_name["UsageService"],
            usage_pb2_grpc.add_UsageServiceServicer_to_server,
            Usages(ledger),
        ),
    ]


def _given(options: RouterOptions, environment: Mapping[str, str], know: Callable[[str], None]) -> list[Spec]:
    """Give the providers that nobody has to add: the embedded one, and the environment's, whose key is told."""
    from router.services.providers import url_trouble

    specs = [Spec(id="embedded", kind="EMBEDDED", origin="built-in", price=FREE)] if options.embedded else []
    if url := environment.get("OPENAI_BASE_URL", ""):
        if trouble := url_trouble(url):
            raise StartError(f"OPENAI_BASE_URL {trouble}")
        key = environment.get("OPENAI_API_KEY", "")
        know(key)
        specs.append(Spec(id="openai", kind="OPENAI", base_url=url.rstrip("/"), key=key, origin="environment"))
    return specs


def _plan(home: Home, options: RouterOptions) -> Plan:
    return Plan(
        chat_socket=str(home.socket("chat.sock")),
        embeddings_socket=str(home.socket("embed.sock")),
        verified=str(home.router / "verified.json"),
        name=options.chat_name,
        gguf=options.embedded_gguf,
        sha256=options.embedded_sha256,
        slots=options.embedded_slots,
        context_tokens=options.embedded_context_tokens,
        threads=options.threads,
        cache_mib=options.embedded_cache_mib,
    )
