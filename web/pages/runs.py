"""Runs: the table with its filters, and one run whole."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signet.client.runs import STATES
from signet.kit.errors import InvalidArgument
from signet.kit.times import now_micros
from signet.v1 import events_pb2, runs_pb2
from web import egress, form, markdown, timeline
from web.pages import chat
from web.site import Site
from web.views import wants_json

_PAGE = 50
_FILTERS = ("agent", "state", "model", "stamp")
_AGENTS = 200
DIGEST = 64
"""Characters of a digest."""


async def index(site: Site, request: Request) -> Response:
    """List runs, newest first, those that the filters leave."""
    client = site.visitor(request)
    filters = {name: request.query_params.get(name, "").strip()[:200] for name in _FILTERS}
    page = await client.runs.list(
        agent=filters["agent"],
        states=[filters["state"]] if filters["state"] else [],
        model=filters["model"],
        stamp=filters["stamp"],
        page_size=_PAGE,
        page_token=request.query_params.get("page_token", ""),
    ).page()
    agents = await client.agents.list(page_size=_AGENTS).page()
    chosen = {name: value for name, value in filters.items() if value}
    more = urlencode(chosen | {"page_token": page.next_page_token}) if page.next_page_token else ""
    return site.views.page(
        "runs.html",
        title="Runs",
        here="/runs",
        runs=page.runs,
        filters=filters,
        chosen=chosen,
        states=STATES,
        agents=[one.name.partition("/")[2] for one in agents.agents],
        more=more,
        paged="page_token" in request.query_params,
    )


async def show(site: Site, request: Request) -> Response:
    """Show one run whole: as a page, or as the content of a drawer."""
    client = site.visitor(request)
    run = await client.runs.get(request.path_params["run"])
    ident = run.name.partition("/")[2]
    drawer = "drawer" in request.query_params
    if ident != request.path_params["run"]:  # it was a prefix
        return RedirectResponse(f"/runs/{ident}{'?drawer' if drawer else ''}", 302)
    record = await client.runs.record(run.name)
    progress = await chat.replay(client, run) if not record.digest else None
    return site.views.page(
        "_run.html" if drawer else "run.html",
        title=f"Run {ident[:13]}",
        here="/runs",
        run=record.run,
        ident=ident,
        record=record,
        progress=progress,
        rows=timeline.rows(record),
        isolation=_isolation(record),
        reached=egress.reached(record.events),
        output=markdown.render(record.run.output),
        stamp=_stamp(record.run.stamp),
        now=now_micros(),
    )


async def cancel(site: Site, request: Request) -> Response:
    """Ask a run to stop."""
    await form.read(request)
    run = await site.visitor(request).runs.cancel(request.path_params["run"])
    ident = run.name.partition("/")[2]
    if wants_json(request):
        return JSONResponse({"run": ident})
    return RedirectResponse(f"/sessions/{run.session.partition('/')[2]}" if run.session else f"/runs/{ident}", 303)


async def blob(site: Site, request: Request) -> Response:
    """Show a body that a record names, as plain text whatever it holds."""
    digest = request.path_params["digest"]
    if len(digest) != DIGEST or not set(digest) <= set("0123456789abcdef"):
        raise InvalidArgument("INVALID_FIELD", "A digest is 64 hexadecimal characters.")
    body = await site.visitor(request).runs.blob(digest)
    return Response(body.decode("utf-8", errors="replace"), media_type="text/plain")


def _isolation(record: runs_pb2.Record) -> list[events_pb2.IsolationLayer]:
    """Give the layers of the sandbox that it ran in last."""
    reports = [event.sandbox_opened for event in record.events if event.HasField("sandbox_opened")]
    return list(reports[-1].isolation.layers) if reports else []


def _stamp(stamp: runs_pb2.Stamp) -> list[tuple[str, str, str]]:
    """Give the five digests in the order of the word: key, title, digest."""
    return [
        ("soul", "Soul", stamp.soul),
        ("tools", "Tools", stamp.tools),
        ("runtime", "Agent runtime", stamp.runtime),
        ("model", "Model", stamp.model),
        ("permissions", "Permissions", stamp.permissions),
    ]
