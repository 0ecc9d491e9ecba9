"""Connections made: names looked up, addresses tried in turn, through a proxy where there is one, TLS verified."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from router.http.connection import Connection
from router.http.endpoint import Endpoint, Proxy
from router.http.race import first
from router.http.resolve import Resolver
from router.http.tunnel import Tunnel
from router.wire import Fault, WireError

_CLOSE_SECONDS = 2.0

Make = Callable[[], Connection]
P = TypeVar("P", bound=asyncio.BaseProtocol)


class Dialler:
    """Makes connections. `tls` replaces the system's certificates, for tests and private authorities."""

    def __init__(self, *, connect_seconds: float, tls: ssl.SSLContext | None = None) -> None:
        self._seconds = connect_seconds
        self._tls = tls
        self._resolver = Resolver()

    async def dial(self, endpoint: Endpoint, make: Make) -> Connection:
        """Connect. Raises WireError (UNREACHABLE); what was half made is closed, also when cancelled."""
        proxy = endpoint.proxy
        where = f"{endpoint.authority} by its proxy" if proxy else endpoint.socket or endpoint.authority
        try:
            async with asyncio.timeout(self._seconds):
                return await self._made(endpoint, make)
        except TimeoutError as error:
            raise WireError(Fault.UNREACHABLE, f"{where} did not take the connection in time") from error
        except ssl.SSLCertVerificationError as error:
            message = f"{where} cannot be reached (its certificate is not valid: {error.verify_message})"
            raise WireError(Fault.UNREACHABLE, message) from error
        except OSError as error:
            message = f"{where} cannot be reached ({error.strerror or type(error).__name__})"
            raise WireError(Fault.UNREACHABLE, message) from error

    async def aclose(self) -> None:
        """End what is under way."""
        await self._resolver.aclose()

    async def _made(self, endpoint: Endpoint, make: Make) -> Connection:
        loop = asyncio.get_running_loop()
        if endpoint.socket:
            _, connection = await loop.create_unix_connection(make, endpoint.socket)
            return connection
        if endpoint.proxy and endpoint.tls:
            return await self._tunnelled(endpoint, endpoint.proxy, make)
        if endpoint.proxy:
            return await self._opened(endpoint.proxy.host, endpoint.proxy.port, make, tls=endpoint.proxy.tls)
        return await self._opened(endpoint.host, endpoint.port, make, tls=endpoint.tls)

    async def _opened(self, host: str, port: int, make: Callable[[], P], *, tls: bool) -> P:
        context = await self._context() if tls else None
        opened = await self._plain(host, port)
        try:
            _, protocol = await asyncio.get_running_loop().create_connection(
                make,
                sock=opened,
                ssl=context,
                server_hostname=host if context else None,
                ssl_handshake_timeout=self._seconds if context else None,
                ssl_shutdown_timeout=_CLOSE_SECONDS if context else None,
            )
        except BaseException:
            opened.close()
            raise
        return protocol

    async def _plain(self, host: str, port: int) -> socket.socket:
        addresses = await self._resolver.find(host, port)
        try:
            return await first(addresses)
        except OSError:
            self._resolver.forget(host, port)
            raise

    async def _tunnelled(self, endpoint: Endpoint, proxy: Proxy, make: Make) -> Connection:
        """Ask a proxy for a way through, and speak TLS with the server at its end."""
        context = await self._context()
        tunnel = await self._opened(proxy.host, proxy.port, Tunnel, tls=proxy.tls)
        try:
            await tunnel.ask(endpoint.whole, proxy.authorization)
            connection = make()
            transport = await asyncio.get_running_loop().start_tls(
                tunnel.transport, connection, context,
                server_hostname=endpoint.host, ssl_handshake_timeout=self._seconds, ssl_shutdown_timeout=_CLOSE_SECONDS,
            )  # fmt: skip
        except BaseException:
            tunnel.transport.abort()
            raise
        if transport is None:
            raise ConnectionResetError
        connection.connection_made(transport)
        return connection

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await asyncio.to_thread(_system)
        return self._tls


def _system() -> ssl.SSLContext:
    context = ssl.create_default_context()  # verifies, by the system's authorities
    context.set_alpn_protocols(["http/1.1"])
    return context
