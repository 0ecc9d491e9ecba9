"""What a visitor is told when a page cannot be given: what was wrong, and what to do."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signet.client import SignetError
from signet.kit import errors
from signet.kit.log import get
from web.site import Site
from web.views import wants_json

_log = get("web")

RELOAD_SECONDS = 3
"""After which the page of a fleet that is away tries again."""

_AWAY_HINT = "See how it stands with `signet status`, and start it with `signet up`."

_STATUS: dict[type[SignetError], tuple[int, str]] = {
    errors.InvalidArgument: (400, "That does not work"),
    errors.OutOfRange: (400, "That does not work"),
    errors.Unauthenticated: (401, "You are not signed in"),
    errors.PermissionDenied: (403, "You may not do that"),
    errors.NotFound: (404, "Not here"),
    errors.AlreadyExists: (409, "That was there already"),
    errors.FailedPrecondition: (409, "Not in this state"),
    errors.Aborted: (409, "Somebody else was faster"),
    errors.ResourceExhausted: (429, "A limit is reached"),
    errors.Unavailable: (503, "Signet is not reachable"),
    errors.DeadlineExceeded: (504, "That took too long"),
}

_TITLES = {400: "That does not work", 404: "Not here", 405: "Not this way", 413: "Too much", 503: "Busy"}


async def signet(site: Site, request: Request, error: Exception) -> Response:
    """Show an error of the fleet."""
    if not isinstance(error, SignetError):
        raise error
    status, title = next(
        (found for kind, found in _STATUS.items() if isinstance(error, kind)), (500, "A fault of ours")
    )
    message, hint = error.message, error.hint
    if error.reason == "CONTROL_UNAVAILABLE":  # the client speaks of its address, which no visitor chose
        message, hint = "Control does not answer. What runs goes on.", _AWAY_HINT
    if wants_json(request):
        return JSONResponse({"problem": message, "hint": hint, "reason": error.reason}, status)
    if status == 401:  # noqa: PLR2004 - the HTTP status
        return _door(site, request, error)
    extra = {"refresh_seconds": RELOAD_SECONDS} if status == 503 and request.method == "GET" else {}  # noqa: PLR2004 - as above
    return site.views.page("fault.html", status=status, title=title, message=message, hint=hint, **extra)


def _door(site: Site, request: Request, error: SignetError) -> Response:
    """Show how to sign in; a cookie that is no use any more goes."""
    fresh = error.reason == "TOKEN_MISSING"
    if fresh and request.method == "GET" and request.url.path == "/":
        return RedirectResponse("/sign-in", 303)
    problem = "" if fresh else "Your session is over. Sign in again."
    response = site.views.page("sign_in.html", status=401, title="You are not signed in", code="", problem=problem)
    site.cookie.drop(response)
    return response


async def http(site: Site, request: Request, error: Exception) -> Response:
    """Show an error of the door itself: no such page, too large a form."""
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    message = "There is no such page." if status == 404 else error.detail  # noqa: PLR2004 - the HTTP status
    if wants_json(request):
        return JSONResponse({"problem": message, "hint": "", "reason": ""}, status)
    title = _TITLES.get(status, "That does not work")
    return site.views.page("fault.html", status=status, title=title, message=message, hint="")


async def fault(site: Site, request: Request, error: Exception) -> Response:
    """Show that something of ours broke; the log says what, under the same id."""
    ident = errors_id()
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    at = f"{where.tb_frame.f_code.co_filename.rpartition('/')[2]}:{where.tb_lineno}" if where else ""
    _log.error("page_failed", error_id=ident, kind=type(error).__name__, at=at, path=request.url.path)
    message = f"A fault of ours. The log has it as {ident}."
    if wants_json(request):
        return JSONResponse({"problem": message, "hint": "signet doctor", "reason": "INTERNAL"}, 500)
    return site.views.page("fault.html", status=500, title="A fault of ours", message=message, hint="signet doctor")


def errors_id() -> str:
    """Make an id by which a fault is found in the log."""
    import uuid

    return uuid.uuid4().hex[:12]
