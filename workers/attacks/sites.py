"""Sites on the host's loopback for attacks on the way out: each knows what may reach it, and tells of all else."""

import asyncio
import base64
import gzip
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from workers.attacks.trap import Trap

Answer = Callable[[bytes], bytes]
Wrong = Callable[[bytes], str]

_PIECE = 1 << 16
_MOST = 1 << 22
_HANDSHAKE = b"\x16"
_FLOOD = b"x" * (1 << 16)


@dataclass
class Site:
    """One server. `answer` gives what it says to a request, `wrong` what is wrong with what has reached it, or ""."""

    name: str
    trap: Trap
    answer: Answer
    wrong: Wrong
    port: int = 0
    secret: bytes = b""
    _server: socket.socket | None = None
    _clear: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, context: ssl.SSLContext | None = None, port: int = 0, host: str = "127.0.0.1") -> Self:
        """Listen on the loopback, with TLS where a context is given; words in the clear are looked at even there."""
        self._server = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
        self._server.setblocking(False)
        self.port = self._server.getsockname()[1]
        self._tasks.add(asyncio.create_task(self._accept(self._server, context)))
        return self

    async def aclose(self) -> None:
        """Close it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server:
            self._server.close()

    async def _accept(self, server: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            peer, _ = await asyncio.get_running_loop().sock_accept(server)
            task = asyncio.create_task(self._take(peer, context))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, peer: socket.socket, context: ssl.SSLContext | None) -> None:
        secured = context if context and await _first(peer) == _HANDSHAKE else None
        try:
            reader, writer = (
                await asyncio.open_connection(sock=peer) if secured is None else await _secure(peer, secured)
            )
        except OSError:
            peer.close()
            return
        self._clear = context is not None and secured is None
        await self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen, answered = b"", 0
        try:
            self._look(seen)
            while len(seen) < _MOST and (piece := await reader.read(_PIECE)):
                seen += piece
                self._look(seen)
                while answered < seen.count(b"\r\n\r\n"):
                    answered += 1
                    writer.write(self.answer(seen))
                    await writer.drain()
        except OSError:
            return
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _look(self, seen: bytes) -> None:
        if self._clear and self.secret and self.secret in seen:
            self.trap.saw(f"{self.name}: the lent secret came over the network in the clear")
        if wrong := self.wrong(seen):
            self.trap.saw(f"{self.name}: {wrong}")


async def _first(peer: socket.socket) -> bytes:
    """Look at the first byte that comes, and leave it there."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    peer.setblocking(False)
    loop.add_reader(peer, ready.set)
    try:
        await ready.wait()
        return peer.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""
    finally:
        loop.remove_reader(peer)


async def _secure(peer: socket.socket, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, peer, ssl=context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def nobody(_: bytes) -> str:
    """Say that nothing may reach it."""
    return "it was reached, though no policy lets anybody to it"


def anybody(_: bytes) -> str:
    """Say that everything may reach it."""
    return ""


def reader_of(folder: str, secret: bytes) -> Wrong:
    """Say that GET below a folder may reach it, by whatever reading of the request, and never a lent secret."""

    def wrong(seen: bytes) -> str:
        if secret in seen:
            return "a secret that is lent to another site has reached it"
        for head in heads(seen):
            words = head.split(b"\r\n")[0].decode("latin-1").split(" ")
            if words[0] != "GET":
                return f"{words[0][:20]} has reached it, which the policy denies"
            if not below(folder, words[1] if len(words) > 1 else ""):
                return f"{words[1:2]} has reached it, which the policy denies"
            if b"override" in head.lower().partition(b"\r\n")[2]:
                return "a header has reached it that some sites take for another method"
            if odd := _ambiguous(head):
                return odd
        return ""

    return wrong


def lender_of(folder: str, secret: bytes) -> Wrong:
    """Say that the lent secret may reach it in the header `authorization`, below a folder."""

    def wrong(seen: bytes) -> str:
        if secret not in seen:
            return ""
        lines = seen.partition(b"\r\n\r\n")[0].split(b"\r\n")
        holding = [line.partition(b":")[0].lower() for line in lines[1:] if secret in line]
        target = lines[0].split(b" ")[1].decode("latin-1")
        if secret in lines[0] or secret in seen.partition(b"\r\n\r\n")[2] or holding != [b"authorization"]:
            return "the lent secret stands where it was not lent to"
        return "" if below(folder, target) else f"the lent secret has reached {target}"

    return wrong


def hello(_: bytes) -> bytes:
    """Answer with a word."""
    return said(b"hello")


def telling(secret: str) -> Answer:
    """Answer with a secret of the site's own."""
    return lambda _: said(secret.encode())


def mirror(seen: bytes) -> bytes:
    """Answer with the request: as it is, or by its path compressed, in small chunks, in a header or in base64."""
    head = seen.rpartition(b"\r\n\r\n")[0]
    path = head.split(b" ")[1] if b" " in head else b""
    if path.endswith(b"/compressed"):
        return said(gzip.compress(head), b"content-encoding: gzip")
    if path.endswith(b"/chunked"):
        chunks = b"".join(b"1\r\n" + head[at : at + 1] + b"\r\n" for at in range(len(head)))
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    if path.endswith(b"/header"):
        return said(b"", b"x-seen: " + head.replace(b"\r\n", b" ")[:8000])
    if path.endswith(b"/redirect"):
        return (
            b"HTTP/1.1 302 Found\r\nlocation: /?"
            + head.replace(b"\r\n", b"&")[:8000]
            + b"\r\ncontent-length: 0\r\n\r\n"
        )
    return said(base64.b64encode(head) if path.endswith(b"/disguised") else head)


def flood(seen: bytes) -> bytes:
    """Answer with headers, or a body, that are larger than anybody wants; else with a word."""
    if b"/open/headers" in seen:
        return b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (n, _FLOOD[:8000]) for n in range(500)) + b"\r\n"
    if b"/open/compressed" in seen:
        return said(_small_and_large(), b"content-encoding: gzip")
    return hello(seen)


@cache
def _small_and_large() -> bytes:
    """Compress 64 MiB, which takes a while."""
    return gzip.compress(bytes(64 << 20))


def said(body: bytes, *headers: bytes) -> bytes:
    """Write an answer."""
    return b"\r\n".join((b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers, b"", body))


def normal(target: str) -> str:
    """Read a path as the most obliging server would: decoded twice, backslashes as slashes, dots resolved."""
    path = unquote(unquote(target.partition("?")[0])).replace("\\", "/")
    path = re.sub(r";[^/]*", "", path)
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if path.endswith("/") else "")


def below(folder: str, target: str) -> bool:
    """Tell whether a target is a folder (which ends with a slash) or something in it, as `normal` reads it."""
    return f"{normal(target)}/".startswith(folder)


def heads(seen: bytes) -> Iterator[bytes]:
    """Give the head of each request, passing over bodies by the length that is said, or by their chunks."""
    while seen:
        head, end, seen = seen.partition(b"\r\n\r\n")
        yield head
        length = re.search(rb"(?i)\ncontent-length:[ \t]*([0-9]+)", head)
        if re.search(rb"(?i)\ntransfer-encoding:", head):
            seen = seen.partition(b"0\r\n\r\n")[2]
        elif length:
            seen = seen[int(length[1]) :]
        if not end:
            return


def certified(authority_leaf: tuple[str, str], file: Path, seen: Callable[[str], None]) -> ssl.SSLContext:
    """Serve with a certificate and its key, telling which name each client asks for."""
    file.write_text("".join(authority_leaf))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def named(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        seen(name or "")

    context.sni_callback = named
    return context


def _ambiguous(head: bytes) -> str:
    """Say where two readers would understand a request differently."""
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    if b"content-length" in names and b"transfer-encoding" in names:
        return "a request with two lengths has reached it"
    if len(names) != len(set(names)) and any(names.count(name) > 1 for name in (b"content-length", b"host")):
        return "a request with a header twice that may be there once has reached it"
    if re.search(rb"(?<!\r)\n|\r(?!\n)|\0|\n[ \t]|\n[^:\r\n]*[ \t]:", head):
        return "a request with a line that ends oddly has reached it"
    return ""
