"""The child that holds the embedded models, for as long as a context lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.embedded.child import Child
from router.embedded.plan import Plan
from router.options import RouterOptions
from signet.kit import log as logs
from signet.kit.home import Home


@asynccontextmanager
async def watched(home: Home, options: RouterOptions) -> AsyncIterator[Child]:
    """Start it, and again whenever it ends."""
    child = Child(_plan(home, options), logs.get("router"))
    watching = asyncio.create_task(child.run())
    try:
        await child.launched()
        yield child
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def _plan(home: Home, options: RouterOptions) -> Plan:
    return Plan(
        chat_socket=str(home.socket("chat.sock")),
        embeddings_socket=str(home.socket("embed.sock")),
        verified=str(home.router / "verified.json"),
        name=options.chat_name,
        gguf=options.embedded_gguf,
        sha256=options.embedded_sha256,
        slots=options.embedded_slots,
        context_tokens=options.embedded_context_tokens,
        threads=options.threads,
        cache_mib=options.embedded_cache_mib,
    )
