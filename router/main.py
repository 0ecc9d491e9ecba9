"""`signet router`: the only door to models, and the only holder of providers' keys."""

import asyncio
from collections.abc import Mapping

import uvloop

from router import app
from router.address import has_password
from router.options import RouterOptions
from signet.kit import options as kit_options
from signet.kit.home import Home
from signet.kit.lifecycle import StartError, run_until_signalled

_ELSE = "put it into router.database_password_file, or the environment (PGPASSWORD, SIGNET_ROUTER_DATABASE)"


def run(home: Home, flags: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; gives the exit code."""

    async def main(stop: asyncio.Event) -> int:
        home.prepare()
        if has_password(flags.get("database", "")):
            raise StartError(f"--set database: a password must not be part of a command, which others can see: {_ELSE}")
        return await app.run(home, kit_options.load(RouterOptions, "router", home, flags), stop)

    # Sockets, timers and wake-ups are a good part of what a call costs; this event loop does them in C.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return run_until_signalled(main)
