"""What runs are made of, to read: agents, souls, models with their providers, workers."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from signet.v1 import models_pb2, providers_pb2, souls_pb2, workers_pb2
from web import markdown
from web.site import Site

_ROWS = 200


async def agents(site: Site, request: Request) -> Response:
    """List the agents."""
    page = await site.visitor(request).agents.list(page_size=_ROWS).page()
    return site.views.page("agents.html", title="Agents", here="/agents", agents=page.agents)


async def agent(site: Site, request: Request) -> Response:
    """Show one agent."""
    one = await site.visitor(request).agents.get(request.path_params["agent"])
    return site.views.page("agent.html", title=one.name.partition("/")[2], here="/agents", agent=one)


async def souls(site: Site, request: Request) -> Response:
    """List the souls, with what is wrong with those that cannot be used."""
    page = await site.visitor(request).souls.list(page_size=_ROWS).page()
    return site.views.page("souls.html", title="Souls", here="/souls", souls=page.souls)


async def soul(site: Site, request: Request) -> Response:
    """Show one soul: its text and its tool policy."""
    one: souls_pb2.Soul = await site.visitor(request).souls.get(request.path_params["soul"])
    policy = (
        ("Enforced", "always offered", list(one.toolsets.enforced)),
        ("Default", "offered unless the agent names its own", list(one.toolsets.default_enabled)),
        ("Optional", "offered when the agent names them", list(one.toolsets.optional)),
        ("Forbidden", "never offered", list(one.toolsets.forbidden)),
    )
    return site.views.page(
        "soul.html",
        title=one.title or one.name.partition("/")[2],
        here="/souls",
        soul=one,
        policy=policy,
        text=markdown.render(one.text),
        own=one.origin == souls_pb2.SOUL_ORIGIN_USER,
    )


async def models(site: Site, request: Request) -> Response:
    """List the models and the providers behind them."""
    client = site.visitor(request)
    listed, offered = await asyncio.gather(
        client.models.list(page_size=_ROWS).page(), client.providers.list(page_size=_ROWS).page()
    )
    return site.views.page(
        "models.html",
        title="Models",
        here="/models",
        models=[(one, _MODEL_STATES.get(one.state, _UNKNOWN)) for one in listed.models],
        providers=[(one, _PROVIDER_STATES.get(one.state, _UNKNOWN)) for one in offered.providers],
    )


async def workers(site: Site, request: Request) -> Response:
    """List the hosts, with what a sandbox holds on each."""
    page = await site.visitor(request).workers.list(page_size=_ROWS).page()
    rows = [(one, _WORKER_STATES.get(one.state, _UNKNOWN)) for one in page.workers]
    return site.views.page("workers.html", title="Workers", here="/workers", workers=rows)


_UNKNOWN = ("not known", "·", "quiet")
_MODEL_STATES = {
    int(models_pb2.MODEL_STATE_READY): ("ready", "✓", "good"),
    int(models_pb2.MODEL_STATE_STARTING): ("starting", "◔", "live"),
    int(models_pb2.MODEL_STATE_UNAVAILABLE): ("unavailable", "✕", "bad"),
}
_PROVIDER_STATES = {
    int(providers_pb2.PROVIDER_STATE_READY): ("ready", "✓", "good"),
    int(providers_pb2.PROVIDER_STATE_STARTING): ("starting", "◔", "live"),
    int(providers_pb2.PROVIDER_STATE_UNAVAILABLE): ("unavailable", "✕", "bad"),
}
_WORKER_STATES = {
    int(workers_pb2.WORKER_STATE_READY): ("ready", "✓", "good"),
    int(workers_pb2.WORKER_STATE_DRAINING): ("draining", "◔", "warn"),
    int(workers_pb2.WORKER_STATE_LOST): ("lost", "✕", "bad"),
}
