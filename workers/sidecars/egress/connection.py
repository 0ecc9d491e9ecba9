"""One connection from the sandbox, from its first request to its end."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass

from signet.policy.decide import Decision
from workers.sidecars.egress import head, hello, target, tunnel
from workers.sidecars.egress.admission import Admission
from workers.sidecars.egress.denial import Denied, Gone
from workers.sidecars.egress.exchange import Exchange, Place
from workers.sidecars.egress.head import Head
from workers.sidecars.egress.identity import UNKNOWN, Owners
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.passage import Passage
from workers.sidecars.egress.rules import Rules
from workers.sidecars.egress.target import HTTP, HTTPS, Target
from workers.sidecars.egress.trust import Trust
from workers.sidecars.egress.tunnel import Kind
from workers.sidecars.egress.upstream import Upstream
from workers.sidecars.egress.vault import Vault
from workers.sidecars.egress.wire import Plain, Secure, Wire

LINGER_SECONDS = 1.0
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_FRONTED = Decision("deny", "tunnel.name", "the server name in its ClientHello is not the host that CONNECT named")
_OPAQUE = Decision("deny", "tunnel.protocol", "it speaks neither TLS nor HTTP, and its requests have to be looked into")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of one sandbox share."""

    rules: Rules
    admission: Admission
    vault: Vault
    trust: Trust
    limits: Limits


class Connection:
    """Serves one client. `run` returns at its end; a cancel ends it at once."""

    def __init__(self, client: Plain, shared: Shared, task: "asyncio.Task[None]") -> None:
        self._plain, self._shared, self._task = client, shared, task
        self._wire: Wire = client
        self._owners: Owners | None = None
        self._passage: Passage | None = None
        self._upstream: Upstream | None = None
        self._place: Place | None = None

    async def run(self) -> None:
        """Serve it."""
        try:
            await self._serve()
        except Denied as refused:
            await refuse(self._wire, refused)
        except (Gone, OSError):  # whichever side went away, or a bound was reached
            return
        finally:
            self._leave()
            self._wire.close()

    async def _serve(self) -> None:
        asked = await self._head(self._shared.limits.handshake_seconds)
        if asked and asked.words[0] == "CONNECT":
            return await self._connect(asked)
        while asked:
            if asked.words[0] == "CONNECT":
                raise Denied(400, "bad_request", "CONNECT comes first on a connection")
            if not await self._proxied(asked):
                return None
            asked = await self._head(self._shared.limits.idle_seconds)
        return None

    async def _head(self, seconds: float) -> Head | None:
        """Read a request's head; `seconds` are until its first byte."""
        if not self._wire.buffer:
            async with asyncio.timeout(seconds):
                if not await self._wire.fill():
                    return None
        async with asyncio.timeout(self._shared.limits.handshake_seconds):
            return await head.request(self._wire, self._shared.limits)

    async def _proxied(self, asked: Head) -> bool:
        """Serve one plain request; whether another may follow."""
        place, path = target.absolute(asked)
        if self._place is None or self._place.passage.target != place:
            self._leave()
            owners = await self._who()
            await self._shared.admission.permit(place, owners, method=asked.words[0], path=path)
            self._place = self._placed(*await self._open(place, owners, looked=True), HTTP)
        return await Exchange(self._wire, self._place).run(asked, path)

    async def _connect(self, asked: Head) -> None:
        place = target.connect(asked)
        owners = await self._who()
        await self._shared.admission.permit(place, owners)
        passage, upstream = await self._open(place, owners, looked=None)
        if not passage.looked:
            self._shared.admission.note(passage, passage.decision)
        await self._plain.send(_ESTABLISHED)
        other = upstream.plain if not passage.looked else None
        kind = await tunnel.kind(self._plain, other, self._shared.limits)
        if kind is Kind.TLS:
            await self._named(passage)
        if kind is Kind.HTTP:
            passage.looked = True
            await self._requests(passage, upstream, HTTP)
        elif passage.looked:
            if kind is Kind.OTHER:
                self._shared.admission.note(passage, _OPAQUE)
                return
            await self._look(passage, upstream)
        elif upstream.plain:
            await tunnel.relay(self._plain, upstream.plain, self._shared.limits)

    async def _named(self, passage: Passage) -> None:
        """Let a ClientHello name the tunnel's host only. Raises Gone."""
        try:
            await tunnel.greeting(self._plain, passage.target, self._shared.limits)
        except hello.Damaged as damaged:
            self._shared.admission.note(passage, _FRONTED)
            with contextlib.suppress(Gone):
                await self._plain.send(hello.ALERT)
            raise Gone(str(damaged)) from damaged

    async def _look(self, passage: Passage, upstream: Upstream) -> None:
        """End TLS here, be the host towards the sandbox, and decide request by request."""
        context = await self._shared.trust.inside(passage.target.host)
        wire = Secure(self._plain, context)
        async with asyncio.timeout(self._shared.limits.handshake_seconds):
            await wire.handshake()
        self._wire = wire
        upstream.secure(self._shared.trust)
        await self._requests(passage, upstream, HTTPS)

    async def _requests(self, passage: Passage, upstream: Upstream, usual: int) -> None:
        place = self._placed(passage, upstream, usual)
        while asked := await self._head(self._shared.limits.idle_seconds):
            path = target.origin(asked, passage.target, usual)
            if not await Exchange(self._wire, place).run(asked, path):
                return

    async def _open(self, place: Target, owners: Owners, *, looked: bool | None) -> tuple[Passage, Upstream]:
        """Connect. A passage whose decision wants it is looked into also where that was not said."""
        shared = self._shared
        passage, sock = await shared.admission.connect(place, owners, shared.limits, self._task)
        passage.looked = passage.decision.inspect if looked is None else looked
        self._passage, self._upstream = passage, Upstream(passage, sock, shared.limits)
        return self._passage, self._upstream

    def _placed(self, passage: Passage, upstream: Upstream, usual: int) -> Place:
        shared = self._shared
        return Place(shared.rules, shared.admission, shared.vault, shared.limits, passage, upstream, usual)

    async def _who(self) -> Owners:
        if self._owners is None:
            sock = self._plain.sock
            if sock.family != socket.AF_INET:  # it came by the tunnel of another engine, which has no addresses
                self._owners = UNKNOWN
            else:
                self._owners = await self._shared.admission.owners(sock.getpeername(), sock.getsockname())
        return self._owners

    def _leave(self) -> None:
        """Close what leads out."""
        if self._passage:
            self._shared.rules.passages.discard(self._passage)
        if self._upstream:
            self._upstream.drop()
        self._passage = self._upstream = self._place = None


async def refuse(client: Wire, refused: Denied) -> None:
    """Answer with an error, then read on for a moment, so that it is not lost with what was not read."""
    with contextlib.suppress(Gone, TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            await client.send(refused.answer())
            client.end_writing()
            while await client.fill():
                client.buffer.clear()
