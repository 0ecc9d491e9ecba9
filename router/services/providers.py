"""ProviderService: the endpoints that serve models. Keys go in and never come out."""

import time
from collections.abc import Container
from typing import Any
from urllib.parse import urlsplit

from router.fleet import Fleet
from router.model import Spec
from router.price import Price
from router.providers import PROVIDERS
from router.providers.contract import Provider
from router.providers.detect import detect, public
from router.scan import Found, scan
from router.wire import Wire
from signet.kit.errors import invalid
from signet.kit.names import SLUG, parse_slug
from signet.kit.paging import Page
from signet.kit.times import now_micros, stamp
from signet.v1 import providers_pb2 as pb
from signet.v1.providers_pb2_grpc import ProviderServiceServicer

_MAX_KEY_BYTES = 8 << 10
_MAX_URL = 2000
_MAX_NAME = 63
_MAX_MODELS = 1000
_MAX_MODEL = 200
_MAX_PRICE = 1 << 40


class Providers(ProviderServiceServicer):
    """Answers from the fleet; CheckProvider asks the endpoint itself."""

    def __init__(self, fleet: Fleet, wire: Wire) -> None:
        self._fleet = fleet
        self._wire = wire

    async def CreateProvider(self, request: pb.CreateProviderRequest, context: Any) -> pb.CreateProviderResponse:
        """Add an endpoint and its key."""
        check(request)
        given = request.provider
        spec = Spec(
            id=given.name.removeprefix("providers/"),
            kind=_kind(given) or await self._found_out(given.base_url, request.key),
            base_url=given.base_url.rstrip("/"),
            models=tuple(dict.fromkeys(given.models)),
            price=_price(given),
            create_micros=now_micros(),
        )
        return pb.CreateProviderResponse(provider=wire(await self._fleet.add(spec, request.key)))

    async def ListProviders(self, request: pb.ListProvidersRequest, context: Any) -> pb.ListProvidersResponse:
        """Return providers by name, a page at a time."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = [provider for provider in self._fleet.providers() if provider.spec.id > after]
        token = page.token(found[page.size - 1].spec.id) if len(found) > page.size else ""
        return pb.ListProvidersResponse(
            providers=[wire(provider) for provider in found[: page.size]], next_page_token=token
        )

    async def GetProvider(self, request: pb.GetProviderRequest, context: Any) -> pb.GetProviderResponse:
        """Return one provider."""
        provider = self._fleet.provider(parse_slug("providers", request.name))
        return pb.GetProviderResponse(provider=wire(provider))

    async def DeleteProvider(self, request: pb.DeleteProviderRequest, context: Any) -> pb.DeleteProviderResponse:
        """Remove an endpoint and its key."""
        await self._fleet.remove(parse_slug("providers", request.name))
        return pb.DeleteProviderResponse()

    async def CheckProvider(self, request: pb.CheckProviderRequest, context: Any) -> pb.CheckProviderResponse:
        """Ask the endpoint now."""
        provider = self._fleet.provider(parse_slug("providers", request.name))
        began = time.monotonic()
        await provider.check()
        micros = int((time.monotonic() - began) * 1e6)
        return pb.CheckProviderResponse(provider=wire(provider), duration_micros=micros)

    async def ScanProviders(self, request: pb.ScanProvidersRequest, context: Any) -> pb.ScanProvidersResponse:
        """Look for local servers on the hosts that are named."""
        found = await scan(self._wire, request.hosts)
        providers = self._fleet.providers()
        known = {provider.spec.base_url.rstrip("/"): provider for provider in providers}
        taken = {provider.spec.id for provider in providers}
        return pb.ScanProvidersResponse(
            providers=[
                wire(known[server.base_url]) if server.base_url in known else seen(server, taken) for server in found
            ]
        )

    async def SetProviderKey(self, request: pb.SetProviderKeyRequest, context: Any) -> pb.SetProviderKeyResponse:
        """Replace a key."""
        ident = parse_slug("providers", request.name)
        if problem := _key_trouble(request.key):
            raise invalid(("key", problem))
        return pb.SetProviderKeyResponse(provider=wire(await self._fleet.rekey(ident, request.key)))

    async def _found_out(self, base_url: str, key: str) -> str:
        if known := public(base_url):
            return known if known in PROVIDERS else "OPENAI"
        server = await detect(self._wire, base_url, key)
        return server.kind if server else "OPENAI"


def wire(provider: Provider) -> pb.Provider:
    """Put a provider on the wire, without its key."""
    spec = provider.spec
    return pb.Provider(
        name=f"providers/{spec.id}",
        kind=f"PROVIDER_KIND_{spec.kind}",
        base_url=spec.base_url,
        has_key=bool(spec.key),
        models=provider.offer().models,
        state=f"PROVIDER_STATE_{provider.health.state.name}",
        state_detail=provider.health.detail,
        input_price_microusd_per_million=spec.price.input_microusd_per_million,
        output_price_microusd_per_million=spec.price.output_microusd_per_million,
        create_time=stamp(spec.create_micros),
        origin=spec.origin,
    )


def seen(server: Found, taken: Container[str]) -> pb.Provider:
    """Put a server that a scan found on the wire, under a name that no provider has."""
    name, turn = server.name, 1
    while name in taken:
        turn += 1
        name = f"{server.name[: _MAX_NAME - 4].rstrip('-')}-{turn}"
    return pb.Provider(
        name=f"providers/{name}",
        kind=f"PROVIDER_KIND_{server.kind}",
        base_url=server.base_url,
        models=server.models,
        state=pb.PROVIDER_STATE_UNAVAILABLE if server.wants_key else pb.PROVIDER_STATE_READY,
        state_detail="it wants a key" if server.wants_key else "",
    )


def check(request: pb.CreateProviderRequest) -> None:
    """Find everything that is wrong with a new provider. Raises InvalidArgument; the key is never quoted."""
    given = request.provider
    problems: list[tuple[str, str]] = []
    prefix, _, ident = given.name.partition("/")
    if prefix != "providers" or not SLUG.fullmatch(ident):
        text = "must be `providers/{provider}`, {provider} 1-63 of a-z, 0-9 and -, beginning with a letter"
        problems.append(("provider.name", text))
    if _kind(given) == "EMBEDDED":
        problems.append(("provider.kind", "the embedded provider is built in: any other kind can be added"))
    elif _kind(given) not in ("", *PROVIDERS):
        kinds = ", ".join(sorted(set(PROVIDERS) - {"EMBEDDED"}))
        problems.append(("provider.kind", f"must be one of {kinds}, or unspecified, to be found out"))
    if trouble := url_trouble(given.base_url):
        problems.append(("provider.base_url", trouble))
    if len(given.models) > _MAX_MODELS or not all(_is_model(name) for name in given.models):
        problems.append(("provider.models", f"at most {_MAX_MODELS} names of 1-{_MAX_MODEL} printable characters each"))
    problems += [
        (f"provider.{field}", f"must be 0 to {_MAX_PRICE} micro-USD")
        for field in ("input_price_microusd_per_million", "output_price_microusd_per_million")
        if given.HasField(field) and not 0 <= getattr(given, field) <= _MAX_PRICE
    ]
    if trouble := _key_trouble(request.key):
        problems.append(("key", trouble))
    if problems:
        raise invalid(*problems)


def url_trouble(url: str) -> str:
    """Say what is wrong with a base address; empty where nothing is."""
    try:
        parts = urlsplit(url)
        port_fine = parts.port is None or parts.port > 0
    except ValueError:
        return "is no address: its port or host is bad"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_fine:
        return "must be like https://api.example.org/v1"
    if parts.username is not None or parts.password is not None:
        return "must hold no user or password: give the key as the key"
    if parts.query or parts.fragment or len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return f"must be an address without ? and #, of at most {_MAX_URL} characters"
    return ""


def _kind(given: pb.Provider) -> str:
    """Give the kind's word; empty where none is given."""
    if given.kind not in pb.ProviderKind.values():
        return str(given.kind)
    word = pb.ProviderKind.Name(given.kind).removeprefix("PROVIDER_KIND_")
    return "" if word == "UNSPECIFIED" else word


def _price(given: pb.Provider) -> Price:
    return Price(
        given.input_price_microusd_per_million if given.HasField("input_price_microusd_per_million") else None,
        given.output_price_microusd_per_million if given.HasField("output_price_microusd_per_million") else None,
    )


def _is_model(name: str) -> bool:
    return 0 < len(name) <= _MAX_MODEL and name.isprintable() and not name.isspace()


def _key_trouble(key: str) -> str:
    if len(key.encode()) <= _MAX_KEY_BYTES and key.isascii() and key.isprintable() and " " not in key:
        return ""
    return f"must be at most {_MAX_KEY_BYTES} bytes of printable ASCII without spaces"
