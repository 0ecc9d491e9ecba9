"""A way through a proxy, asked for by CONNECT."""

import asyncio
import re
from typing import cast

from router.wire import Fault, WireError

_MAX_BYTES = 16 << 10
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?:[ \r])")
_END = b"\r\n\r\n"


class Tunnel(asyncio.Protocol):
    """The connection to the proxy until the way is open; TLS takes over then."""

    def __init__(self) -> None:
        self._said = bytearray()
        self._answered = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The connection, which is there once connection_made was called."""
        if self._transport is None:
            raise ConnectionResetError
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Collect the proxy's answer."""
        self._said += data
        if _END in self._said or len(self._said) > _MAX_BYTES:
            self._answered.set()

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._answered.set()

    async def ask(self, authority: str, authorization: str) -> None:
        """Ask for a way to `host:port`. Raises WireError where the proxy gives none."""
        lines = [f"CONNECT {authority} HTTP/1.1", f"host: {authority}", "user-agent: signet-router"]
        if authorization:
            lines.append(f"proxy-authorization: {authorization}")
        self.transport.write("\r\n".join([*lines, "", ""]).encode())
        await self._answered.wait()
        head, end, rest = bytes(self._said).partition(_END)
        match = _STATUS.match(head + b"\r")
        if not end or match is None or rest:  # a server says nothing before it is spoken to in TLS
            raise WireError(Fault.UNREACHABLE, f"{authority} cannot be reached (its proxy answered with no HTTP)")
        if not 200 <= int(match[1]) < 300:  # noqa: PLR2004 - HTTP's successes
            raise WireError(Fault.UNREACHABLE, f"{authority} cannot be reached (its proxy answered {int(match[1])})")
