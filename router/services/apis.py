"""ApiService: HTTP APIs other than models, which agents call without ever holding the credential."""

from typing import Any

from router.apis.allow import MAX_RULES, Rule, rule
from router.apis.api import (
    ANSWER_BYTES,
    LEAST_ANSWER_BYTES,
    MAX_AGENTS,
    MAX_ANSWER_BYTES,
    MAX_DESCRIPTION,
    MAX_PRICE,
    MAX_RATE,
    RATE,
    Api,
)
from router.apis.place import NOWHERE, Place, place
from router.secrets import Secrets
from router.services.providers import url_trouble
from router.store.apis import ApiStore
from signet.kit.errors import invalid
from signet.kit.names import SLUG, parse_slug
from signet.kit.paging import Page
from signet.kit.times import now_micros, stamp
from signet.v1 import apis_pb2 as pb
from signet.v1.apis_pb2_grpc import ApiServiceServicer

_SLUG = "1-63 of a-z, 0-9 and -, beginning with a letter"

Problems = list[tuple[str, str]]


class ApiServer(ApiServiceServicer):
    """Answers from the store; an API's secret has to be there when it is put."""

    def __init__(self, store: ApiStore, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets

    async def PutApi(self, request: pb.PutApiRequest, context: Any) -> pb.PutApiResponse:
        """Store an API."""
        api = read(request.api)
        if api.secret:
            await self._secrets.check(api.secret)
        return pb.PutApiResponse(api=wire(await self._store.put(api)))

    async def GetApi(self, request: pb.GetApiRequest, context: Any) -> pb.GetApiResponse:
        """Return an API."""
        return pb.GetApiResponse(api=wire(await self._store.get(parse_slug("apis", request.name))))

    async def ListApis(self, request: pb.ListApisRequest, context: Any) -> pb.ListApisResponse:
        """Return APIs by name, a page at a time."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = await self._store.page(after, page.size + 1)
        token = page.token(found[page.size - 1].id) if len(found) > page.size else ""
        return pb.ListApisResponse(apis=[wire(api) for api in found[: page.size]], next_page_token=token)

    async def DeleteApi(self, request: pb.DeleteApiRequest, context: Any) -> pb.DeleteApiResponse:
        """Remove an API."""
        await self._store.remove(parse_slug("apis", request.name))
        return pb.DeleteApiResponse()


def wire(api: Api) -> pb.Api:
    """Put an API on the wire."""
    return pb.Api(
        name=api.name,
        base_url=api.base_url,
        secret=f"secrets/{api.secret}" if api.secret else "",
        placement=str(api.place),
        allow=[str(each) for each in api.allow],
        agents=api.agents,
        call_price_microusd=api.call_price_microusd,
        calls_per_minute=api.calls_per_minute,
        answer_bytes=api.answer_bytes,
        description=api.description,
        update_time=stamp(api.update_micros),
    )


def read(given: pb.Api) -> Api:
    """Read an API from the wire. Raises InvalidArgument that names everything that is wrong with it."""
    problems: Problems = []
    if not _named("apis", given.name):
        problems.append(("api.name", f"must be `apis/{{api}}`, {{api}} {_SLUG}"))
    if trouble := url_trouble(given.base_url):
        problems.append(("api.base_url", trouble))
    where = _place(given, problems)
    rules = _rules(given, problems)
    if len(given.agents) > MAX_AGENTS or not all(_named("agents", name) for name in given.agents):
        problems.append(("api.agents", f"at most {MAX_AGENTS} of `agents/{{agent}}`, {{agent}} {_SLUG}"))
    _check_numbers(given, problems)
    if len(given.description) > MAX_DESCRIPTION or not given.description.isprintable():
        problems.append(("api.description", f"must be one line of at most {MAX_DESCRIPTION} characters"))
    if problems:
        raise invalid(*problems)
    return Api(
        id=given.name.removeprefix("apis/"),
        base_url=given.base_url.rstrip("/"),
        secret=given.secret.removeprefix("secrets/"),
        place=where,
        allow=rules,
        agents=tuple(dict.fromkeys(given.agents)),
        call_price_microusd=given.call_price_microusd if given.HasField("call_price_microusd") else None,
        calls_per_minute=given.calls_per_minute or RATE,
        answer_bytes=given.answer_bytes or ANSWER_BYTES,
        description=given.description,
        update_micros=now_micros(),
    )


def _place(given: pb.Api, problems: Problems) -> Place:
    if given.secret and not _named("secrets", given.secret):
        problems.append(("api.secret", f"must be empty or `secrets/{{secret}}`, {{secret}} {_SLUG}"))
    if bool(given.secret) != bool(given.placement):
        problems.append(("api.placement", "secret and placement need one another"))
    try:
        return place(given.placement)
    except ValueError as error:
        problems.append(("api.placement", str(error)))
        return NOWHERE


def _rules(given: pb.Api, problems: Problems) -> tuple[Rule, ...]:
    rules: dict[Rule, None] = {}
    for number, text in enumerate(given.allow):
        try:
            rules[rule(text)] = None
        except ValueError as error:
            problems.append((f"api.allow[{number}]", str(error)))
    if len(rules) > MAX_RULES:
        problems.append(("api.allow", f"has at most {MAX_RULES} entries"))
    return tuple(rules)


def _check_numbers(given: pb.Api, problems: Problems) -> None:
    if given.HasField("call_price_microusd") and not 0 <= given.call_price_microusd <= MAX_PRICE:
        problems.append(("api.call_price_microusd", f"must be 0 to {MAX_PRICE} micro-USD"))
    if not 0 <= given.calls_per_minute <= MAX_RATE:
        problems.append(("api.calls_per_minute", f"must be 1 to {MAX_RATE}, or 0 for {RATE}"))
    if given.answer_bytes and not LEAST_ANSWER_BYTES <= given.answer_bytes <= MAX_ANSWER_BYTES:
        span = f"{LEAST_ANSWER_BYTES} to {MAX_ANSWER_BYTES} bytes"
        problems.append(("api.answer_bytes", f"must be {span}, or 0 for {ANSWER_BYTES}"))


def _named(collection: str, name: str) -> bool:
    prefix, _, ident = name.partition("/")
    return prefix == collection and bool(SLUG.fullmatch(ident))
