"""What serves, put together from what is kept and counted: the one place that constructs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.apis.credential import Credentials
from router.apis.door import Apis
from router.apis.rate import Rates
from router.apis.relay import Relay
from router.attempt import Bounds
from router.authorise import Authoriser, Callers
from router.broker import Broker
from router.budgets.meter import Meter
from router.door import Door
from router.doors.paths import paths
from router.embedded.child import Child
from router.fleet import Fleet
from router.http.client import Client
from router.http.limits import Limits
from router.keeping import Keeping
from router.observe.metrics import Metrics
from router.observe.observer import Observer
from router.options import RouterOptions
from router.prices.book import Book
from router.providers.contract import Parts
from router.replicas.place import Books
from router.routes.selection import Selection
from router.routes.trial import Means
from router.secrets import Secrets
from router.store.apis import ApiStore
from router.store.ledger import Ledger
from router.store.providers import ProviderStore
from router.store.routes import RouteStore

if TYPE_CHECKING:
    from router.store.database import AsyncEngine


@dataclass(frozen=True)
class Foundation:
    """What has to be there first: the database, the books over it, the secrets, who looks on, who knows callers."""

    engine: "AsyncEngine"
    books: Books
    kept: Keeping
    observer: Observer
    callers: Callers
    run_key: bytes


@dataclass(frozen=True)
class Assembly:
    """The router's parts. Nothing of it runs yet."""

    wire: Client
    fleet: Fleet
    ledger: Ledger
    meter: Meter
    secrets: Secrets
    selection: Selection
    authoriser: Authoriser
    broker: Broker
    apis: ApiStore
    door: Door


def assembled(
    base: Foundation, options: RouterOptions, environment: Mapping[str, str], child: Child | None
) -> Assembly:
    """Put it together."""
    kept, meter = base.kept, base.books.meter
    wire = Client(Limits(connections=options.concurrency * 2, connect_seconds=options.connect_seconds))
    model = environment.get("OPENAI_MODEL", "")
    fleet = Fleet(
        ProviderStore(base.engine),
        RouteStore(base.engine),
        kept.vault,
        Parts(wire, options, child, kept.redactor, kept.log),
        f"openai/{model}" if model else "",
    )
    authoriser = Authoriser(base.run_key, base.callers)
    book = Book()
    bounds = Bounds(options.deadlines, options.answer_bytes, options.output_tokens)
    selection = Selection(book, fleet.models)
    broker = Broker(fleet, Means(wire, meter, book, bounds, kept.redactor, base.observer), selection)
    tally = base.observer.tally
    apis = ApiStore(base.engine)
    relay = Relay(wire, meter, options.deadlines, kept.redactor, tally, kept.log)
    calls = Apis(authoriser, apis, Credentials(kept.secrets), Rates(), relay)
    metrics = Metrics(tally, {"running_calls": ("Calls that hold a budget now.", lambda: meter.running)})
    door = Door(
        paths(authoriser, broker, kept.secrets, calls, metrics),
        tally,
        kept.log,
        body_bytes=options.body_bytes,
        idle_seconds=options.idle_seconds,
    )
    return Assembly(wire, fleet, Ledger(base.engine), meter, kept.secrets, selection, authoriser, broker, apis, door)
