"""`signet router`: the only door to models, and the only holder of providers' keys."""

import asyncio
from collections.abc import Mapping

import uvloop

from router import app
from router.options import RouterOptions
from signet.kit import options as kit_options
from signet.kit.home import Home
from signet.kit.lifecycle import run_until_signalled


def run(home: Home, flags: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; gives the exit code."""

    async def main(stop: asyncio.Event) -> int:
        home.prepare()
        return await app.run(home, kit_options.load(RouterOptions, "router", home, flags), stop)

    # Sockets, timers and wake-ups are a good part of what a call costs; this event loop does them in C.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return run_until_signalled(main)
