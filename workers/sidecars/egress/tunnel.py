"""A tunnel that is not looked into: what is sent first is read, the rest moves through pipes."""

import asyncio
import re
from enum import Enum

from workers.sidecars.egress import hello
from workers.sidecars.egress.denial import Gone
from workers.sidecars.egress.flow import Flow
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.meter import Meter
from workers.sidecars.egress.target import Target, authority
from workers.sidecars.egress.wire import Plain

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI")
_BEGINS = tuple(f"{method} ".encode() for method in _METHODS)
_LONGEST = max(map(len, _BEGINS))
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Kind(Enum):
    """What a client speaks within its tunnel."""

    TLS = "tls"
    HTTP = "http"
    OTHER = "other"


async def kind(client: Plain, upstream: Plain | None, limits: Limits) -> Kind:
    """Tell by what is sent first. A tunnel in which the upstream, if it counts, speaks first is OTHER. Raises Gone."""
    loop = asyncio.get_running_loop()
    if not client.buffer and upstream:
        ready: asyncio.Future[bool] = loop.create_future()
        for wire, ours in ((client, True), (upstream, False)):
            loop.add_reader(wire.sock, _settle, ready, ours)
        try:
            async with asyncio.timeout(limits.idle_seconds):
                if not await ready:
                    return Kind.OTHER
        finally:
            loop.remove_reader(client.sock)
            loop.remove_reader(upstream.sock)
    async with asyncio.timeout(limits.handshake_seconds):
        while not client.buffer or _may_begin(bytes(client.buffer[:_LONGEST])):
            if not await client.fill():
                if client.buffer:
                    return Kind.OTHER
                raise Gone("it closed without a word")
    begin = bytes(client.buffer[:_LONGEST])
    if hello.begins(begin):
        return Kind.TLS
    return Kind.HTTP if begin.startswith(_BEGINS) else Kind.OTHER


async def greeting(client: Plain, target: Target, limits: Limits) -> None:
    """Read a ClientHello ahead, and let it name the tunnel's host only. Raises hello.Damaged, Gone."""
    async with asyncio.timeout(limits.handshake_seconds):
        while (said := hello.read(bytes(client.buffer))) is None:
            if not await client.fill():
                raise Gone("it closed within the handshake")
    if not said.name and target.literal:
        return
    if not _NAME.fullmatch(said.name) or target.literal or authority(said.name, target.port) != target:
        raise hello.Damaged("its server name is not the tunnel's host")


async def relay(client: Plain, upstream: Plain, limits: Limits) -> None:
    """Move bytes both ways until both sides have ended, one breaks, or a bound is reached (Gone)."""
    meter = Meter(limits, client.moved + upstream.moved)
    for wire, other in ((client, upstream), (upstream, client)):
        if wire.buffer:
            async with asyncio.timeout(limits.idle_seconds):
                await other.send(bytes(wire.buffer))
            wire.buffer.clear()
    flows = [Flow(client.sock, upstream.sock, meter.told), Flow(upstream.sock, client.sock, meter.told)]
    try:
        for flow in flows:
            flow.start()
        await meter.watch(flow.done for flow in flows)
    except OSError as error:
        raise Gone(str(error)) from error
    finally:
        for flow in flows:
            flow.close()


def _may_begin(data: bytes) -> bool:
    """Tell whether this could still become the begin of a request."""
    return any(begin.startswith(data) and begin != data for begin in _BEGINS)


def _settle(ready: "asyncio.Future[bool]", ours: bool) -> None:  # noqa: FBT001 - a callback's argument
    if not ready.done():
        ready.set_result(ours)
