"""`signet router`: the only door to models, and the only holder of providers' keys."""

import asyncio
from collections.abc import Mapping

from router.options import RouterOptions
from router.store.database import NewerSchema
from signet.kit import log as logs
from signet.kit import options as kit_options
from signet.kit.home import Home
from signet.kit.lifecycle import notify, run_until_signalled

NEWER_SCHEMA = 6
"""Exit code for a database that a newer Signet wrote."""


def run(home: Home, flags: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; gives the exit code."""

    async def main(stop: asyncio.Event) -> int:
        from router import app

        home.prepare()
        options = kit_options.load(RouterOptions, "router", home, flags)
        try:
            return await app.run(home, options, stop)
        except NewerSchema as error:
            logs.get("router").error("start_failed", message=str(error))
            notify("ERRNO=1", str(error))
            return NEWER_SCHEMA

    return run_until_signalled(main)
