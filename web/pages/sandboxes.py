"""Sandboxes: which are open, what each holds, and its log as it is written."""

import asyncio
from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signet.client import AsyncSignet, SignetError
from signet.kit.times import now_micros
from signet.v1 import sandboxes_pb2
from web import form, words
from web.site import Site

_ROWS = 200
_LOG_SECONDS = 2.0


async def index(site: Site, request: Request) -> Response:
    """List the sandboxes that are open."""
    page = await site.visitor(request).sandboxes.list(page_size=_ROWS).page()
    rows = [(one, _state(one)) for one in page.sandboxes]
    return site.views.page("sandboxes.html", title="Sandboxes", here="/sandboxes", rows=rows, now=now_micros())


async def show(site: Site, request: Request) -> Response:
    """Show one sandbox."""
    client = site.visitor(request)
    one = await client.sandboxes.get(request.path_params["sandbox"])
    return site.views.page(
        "sandbox.html",
        title=one.name.partition("/")[2],
        here="/sandboxes",
        sandbox=one,
        state=_state(one),
        lines=await _log(client, one.name),
        now=now_micros(),
    )


async def stop(site: Site, request: Request) -> Response:
    """Close one; with `force` also where a run is in it."""
    fields = await form.read(request)
    await site.visitor(request).sandboxes.stop(request.path_params["sandbox"], force=fields.get("force") == "yes")
    return RedirectResponse("/sandboxes", 303)


async def _log(client: AsyncSignet, name: str) -> list[sandboxes_pb2.WatchSandboxLogsResponse]:
    """Give what the log holds; the page does without it where the worker does not answer."""
    lines: list[sandboxes_pb2.WatchSandboxLogsResponse] = []
    with suppress(SignetError, TimeoutError):
        async with asyncio.timeout(_LOG_SECONDS), aclosing(client.sandboxes.logs(name)) as found:
            async for line in found:
                lines.append(line)  # noqa: PERF401 - what came before the time was over is shown
    return lines


def _state(one: sandboxes_pb2.Sandbox) -> tuple[str, str, str]:
    return words.SANDBOX_STATES.get(int(one.state), words.UNKNOWN)
