"""Approvals: what agents ask to be let through with, and what was let through."""

import asyncio
import re
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signet.client import SignetError
from signet.kit.errors import InvalidArgument
from signet.kit.times import now_micros
from web import feeds, form, words
from web.site import Site
from web.views import wants_json

_ANSWERED = 20
_GRANTS = 100
_WAIT_SECONDS = 1.0
_BACK = re.compile(r"/(?:approvals|sessions/[0-9a-f-]{36}|runs/[0-9a-f-]{36})")
_SCOPES = {"once": "", "session": "session", "always": "agent"}


async def waiting(site: Site, request: Request) -> int | None:
    """Give how many questions wait, for the navigation; nothing where nobody is signed in or control is away."""
    with suppress(SignetError, TimeoutError):
        async with asyncio.timeout(_WAIT_SECONDS):
            return len(await feeds.pending(site.visitor(request)))
    return None


async def index(site: Site, request: Request) -> Response:
    """Show what waits, what was answered lately, and what is granted."""
    client = site.visitor(request)
    pending, answered, grants = await asyncio.gather(
        feeds.pending(client),
        client.approvals.list(states=("approved", "denied", "expired"), page_size=_ANSWERED).page(),
        client.grants.list(page_size=_GRANTS).page(),
    )
    return site.views.page(
        "approvals.html",
        title="Approvals",
        here="/approvals",
        pending=pending,
        answered=list(answered.approvals),
        grants=[(one, words.SCOPES.get(int(one.scope), "")) for one in grants.grants],
        now=now_micros(),
    )


async def answer(site: Site, request: Request) -> Response:
    """Answer one: `once`, `session`, `always` or `deny`. Our script gets JSON, a browser's form the page it was on."""
    fields = await form.read(request)
    said, name = fields.get("answer", ""), request.path_params["approval"]
    client = site.visitor(request)
    if said == "deny":
        found = await client.approvals.deny(name)
    elif said in _SCOPES:
        found = await client.approvals.approve(name, scope=_SCOPES[said])
    else:
        raise InvalidArgument("INVALID_FIELD", "Answer with once, session, always or deny.")
    if wants_json(request):
        return JSONResponse({"approval": found.name.partition("/")[2]})
    back = fields.get("back", "")
    return RedirectResponse(back if _BACK.fullmatch(back) else "/approvals", 303)


async def revoke(site: Site, request: Request) -> Response:
    """End a grant."""
    await form.read(request)
    await site.visitor(request).grants.revoke(request.path_params["grant"])
    return RedirectResponse("/approvals", 303)
