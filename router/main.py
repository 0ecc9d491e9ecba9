"""`signet router`: the only door to models, and the only holder of providers' keys."""

import asyncio
from collections.abc import Mapping

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

    return run_until_signalled(main)
