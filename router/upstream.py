"""The upstream leg over httpx's transports: no cookies, no redirects, no retries, answers as they were sent."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from router.wire import Answer, Fault, Request, Target, WireError

if TYPE_CHECKING:
    import httpx

_CLOSE_SECONDS = 2.0
_KEEP_SECONDS = 30.0  # shorter than most servers keep an idle connection


class HttpxWire:
    """One pool of connections per unix socket, one for loopback, one for the rest; made when first used."""

    def __init__(self, *, connect_seconds: float, connections: int) -> None:
        self._timeout = {"connect": connect_seconds, "read": None, "write": 60.0, "pool": 5.0}
        self._connections = connections
        self._transports: dict[str, httpx.AsyncHTTPTransport] = {}

    async def open(self, target: Target, request: Request) -> Answer:
        """Send a request and wait for the answer's head. Raises WireError."""
        import httpx

        headers = {"accept-encoding": "identity", "user-agent": "signet-router"}
        if request.body is not None:
            headers["content-type"] = "application/json"
        if target.key:
            headers["authorization"] = f"Bearer {target.key}"
        call = httpx.Request(
            "GET" if request.body is None else "POST",
            target.base_url + request.path,
            headers=headers,
            content=request.body,
            extensions={"timeout": self._timeout},
        )
        try:
            response = await self._transport(target).handle_async_request(call)
        except httpx.HTTPError as error:
            raise _fault(error, urlsplit(target.base_url).netloc) from error
        return _HttpxAnswer(response)

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, target: Target) -> "httpx.AsyncHTTPTransport":
        import httpx

        proxy = None if target.socket else _proxy(target.base_url)
        kind = target.socket or f"{urlsplit(target.base_url).scheme} {proxy}"
        if kind not in self._transports:
            limits = httpx.Limits(max_connections=self._connections, keepalive_expiry=_KEEP_SECONDS)
            self._transports[kind] = httpx.AsyncHTTPTransport(
                verify=target.base_url.startswith("https:"),
                limits=limits,
                uds=target.socket or None,
                proxy=proxy,
            )
        return self._transports[kind]


class _HttpxAnswer:
    def __init__(self, response: "httpx.Response") -> None:
        import httpx

        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous transport gave a synchronous stream")
        self._response = response
        self._pieces = aiter(response.stream)

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read(self) -> bytes:
        import httpx

        try:
            piece = b""
            while not piece:
                piece = await anext(self._pieces)
        except StopAsyncIteration:
            return b""
        except httpx.HTTPError as error:
            raise _fault(error, "the provider") from error
        return piece

    async def aclose(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._response.aclose()
        except TimeoutError:
            return  # the peer does not even let us hang up; the transport forgets it


def _fault(error: "httpx.HTTPError", where: str) -> WireError:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return WireError(Fault.UNREACHABLE, f"{where} did not take the connection in time")
    if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol | httpx.ProxyError):
        return WireError(Fault.UNREACHABLE, f"{where} cannot be reached ({type(error).__name__})")
    if isinstance(error, httpx.TimeoutException):
        return WireError(Fault.TIMEOUT, f"{where} did not take the request in time")
    return WireError(Fault.BROKEN, f"{where} broke off ({type(error).__name__})")


def _proxy(base_url: str) -> str | None:
    """Give the proxy that the environment names for an address; none for loopback."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme) or getproxies().get("all")
