"""A websocket that follows a request which was let through: it is passed both ways, and no longer looked into."""

import asyncio

from workers.sidecars.egress import head, tunnel
from workers.sidecars.egress.denial import Gone
from workers.sidecars.egress.head import Head
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.meter import Meter
from workers.sidecars.egress.redact import Redactor
from workers.sidecars.egress.wire import Plain, Wire, moved


def wanted(asked: Head) -> bool:
    """Tell whether one is asked for; other upgrades are left out of the request."""
    upgrade = asked.listed("upgrade") == {"websocket"} and "upgrade" in asked.listed("connection")
    return upgrade and asked.words[0] == "GET" and asked.minor == 1


async def run(client: Wire, upstream: Wire, answer: Head, redact: Redactor, limits: Limits) -> None:
    """Pass the answer on, and then everything until the end. One in which a lent value shows is cut. Raises Gone."""
    headers = tuple((name, redact.text(text)) for name, text in answer.passed())
    first = f"HTTP/1.1 101 {redact.text(answer.words[1])}"
    await client.send(head.written(first, headers, "connection: Upgrade", "upgrade: websocket"))
    if isinstance(client, Plain) and isinstance(upstream, Plain) and not redact:
        return await tunnel.relay(client, upstream, limits)
    meter = Meter(limits, moved(client) + moved(upstream))
    pumps = [
        asyncio.create_task(_pump(client, upstream, Redactor({}), meter)),
        asyncio.create_task(_pump(upstream, client, redact, meter)),
    ]
    try:
        await meter.watch(pumps)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
    return None


async def _pump(source: Wire, sink: Wire, redact: Redactor, meter: Meter) -> None:
    """Move what one side says. Raises Gone, also for a lent value in it."""
    redact.hits = 0  # those in the head were replaced
    while source.buffer or await source.fill():
        meter.told(len(source.buffer))
        passed = redact.feed(bytes(source.buffer))
        source.buffer.clear()
        if redact.hits:  # frames say how long they are: nothing can be put in their midst
            raise Gone("a secret's value was sent to the sandbox")
        await sink.send(passed)
    await sink.send(redact.end())
    sink.end_writing()
