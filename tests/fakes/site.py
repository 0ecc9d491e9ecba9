"""A site on loopback, HTTP or HTTPS, that answers as it is told and keeps what it was sent, byte for byte."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from workers.authority import Authority

Answer = Callable[["Asked"], bytes | Awaitable[bytes]]
_MOST = 1 << 30


@dataclass(frozen=True)
class Asked:
    """One request as the site saw it."""

    head: bytes
    body: bytes = b""

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n")[0].decode()

    @property
    def headers(self) -> dict[str, str]:
        pairs = (line.decode("latin-1").split(":", 1) for line in self.head.split(b"\r\n")[1:])
        return {name.lower(): value.strip() for name, value in pairs}


def plain(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Write an answer that says its length."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@dataclass
class Site:
    """One server. `answer` is asked for every request's answer; an answer that is empty closes the connection."""

    answer: Answer = field(default=lambda _: plain(b"hello from the site\n"))
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    greets: bytes = b""
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, host, 0, ssl=context, limit=_MOST)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def aclose(self) -> None:
        """Close it, and every connection."""
        if self._server:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.greets:
                writer.write(self.greets)
                await writer.drain()
            while asked := await _read(reader):
                self.asked.append(asked)
                answer = self.answer(asked)
                data = answer if isinstance(answer, bytes) else await answer
                if not data:
                    break
                writer.write(data)
                await writer.drain()
                head = data.partition(b"\r\n\r\n")[0].lower()
                if head.startswith(b"http/1.1 200") and not re.search(rb"content-length|transfer-encoding", head):
                    break  # an answer that ends with its connection
                if b"101 Switching" in data[:40]:
                    while piece := await reader.read(65536):
                        writer.write(piece)
                        await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


def serving(authority: Authority, folder: Path, host: str) -> ssl.SSLContext:
    """Give what a site needs to be a host, signed by an authority."""
    leaf = authority.leaf(host)
    file = folder / f"{host}.pem"
    file.write_text(leaf.certificate + leaf.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
    except asyncio.IncompleteReadError:
        return None
    asked = Asked(head)
    if "chunked" in asked.headers.get("transfer-encoding", ""):
        body = bytearray()
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return Asked(head, bytes(body))
    return Asked(head, await reader.readexactly(int(asked.headers.get("content-length", "0"))))
