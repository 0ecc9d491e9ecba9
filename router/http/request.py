"""A request as bytes. Nothing that was given can add a line to it."""

import re
from urllib.parse import quote

from router.http.endpoint import Place
from router.wire import Fault, Request, Target, WireError

_UNSAFE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN = re.compile(r"[!-~]*")
_CREDENTIALS = ("authorization", "x-api-key")
_FRAMING = ("host", "content-length", "transfer-encoding", "connection", "expect", "upgrade")


def method(request: Request) -> str:
    """Say what is done. Raises WireError for what is no word."""
    verb = request.method or ("GET" if request.body is None else "POST")
    if not _TOKEN.fullmatch(verb):
        raise WireError(Fault.UNREACHABLE, "a method that is no word cannot be sent")
    return verb


def written(place: Place, target: Target, request: Request) -> bytes:
    """Write a request. Raises WireError for what cannot be said in one."""
    verb = method(request)
    path = place.prefix + request.path
    if not _PLAIN.fullmatch(path):
        path = quote(path, safe="/%:@!$&'()*+,;=~?[]")
    lines = [f"{verb} {path or '/'} HTTP/1.1"]
    for name, value in _headers(place, target, request).items():
        if _UNSAFE.search(value):
            raise WireError(Fault.UNREACHABLE, f"its header {name} holds what cannot be sent in one")
        lines.append(f"{name}: {value}")
    body = request.body or b""
    if body or verb not in ("GET", "HEAD"):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _headers(place: Place, target: Target, request: Request) -> dict[str, str]:
    headers = {"host": place.endpoint.authority, "accept-encoding": "identity", "user-agent": "signet-router"}
    if request.body is not None and request.content_type:
        headers["content-type"] = request.content_type
    if target.key and not any(name in target.headers for name in _CREDENTIALS):
        headers["authorization"] = f"Bearer {target.key}"
    if place.endpoint.forwarded and place.endpoint.proxy and place.endpoint.proxy.authorization:
        headers["proxy-authorization"] = place.endpoint.proxy.authorization
    for name, value in target.headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise WireError(Fault.UNREACHABLE, "a header of that name cannot be sent")
        headers[name.lower()] = value
    return headers
