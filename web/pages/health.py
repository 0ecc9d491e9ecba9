"""What a supervisor asks: is it alive, can it serve."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from signet.client import SignetError
from signet.kit.errors import PermissionDenied, Unauthenticated
from web.site import Site


async def healthz(_site: Site, _request: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok\n")


async def readyz(site: Site, _request: Request) -> Response:
    """Say whether control answers too: it refuses a caller without a token only when it is there."""
    try:
        await site.client.acting_as("").agents.list(page_size=1).page()
    except (Unauthenticated, PermissionDenied):
        return PlainTextResponse("ready\n")
    except SignetError as error:
        return PlainTextResponse(f"not ready: {error.reason}\n", 503)
    return PlainTextResponse("ready\n")
