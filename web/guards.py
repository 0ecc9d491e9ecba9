"""What stands before every page: known Host names, posts from our own pages only, headers that let nothing else in."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types signet"
)
"""Content-Security-Policy of every answer: only what we serve, nothing inline."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # not `no-referrer`: with it browsers send `Origin: null` on our own forms, and over plain HTTP nothing else tells
    # them from foreign ones. Nothing is sent elsewhere under this one either.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def host_allowed(host: str, allowed: frozenset[str]) -> bool:
    """Decide on a Host header: its name, without the port, must be a known one."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in allowed or f"[{name}]" in allowed


def post_allowed(headers: Headers) -> bool:
    """Decide whether a request that changes something came from a page of ours, by what browsers say and pages cannot.

    Deny where nothing tells: programs have the gRPC API.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return bool(headers.get("host")) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


@dataclass(frozen=True)
class Guards:
    """The guard as one layer of the application."""

    app: ASGIApp
    allowed_hosts: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        if not host_allowed(headers.get("host", ""), self.allowed_hosts):
            refusal = PlainTextResponse(
                "This Host name is not one of Signet's. If it should be, add it to the option web.names.\n", 421
            )
            await refusal(scope, receive, sealed)
        elif scope["method"] not in _SAFE_METHODS and not post_allowed(headers):
            refusal = PlainTextResponse("This form was not sent from a page of this Signet.\n", 403)
            await refusal(scope, receive, sealed)
        else:
            await self.app(scope, receive, sealed)
