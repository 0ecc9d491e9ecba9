"""`signet worker`: the process that runs agents on this host."""

import asyncio
import os
from collections.abc import Mapping

from signet.kit import log
from signet.kit.home import Home
from signet.kit.lifecycle import run_until_signalled
from signet.kit.options import load


def run(home: Home, flags: Mapping[str, str]) -> int:
    """Be a worker until a signal; gives the exit code."""

    async def main(stop: asyncio.Event) -> int:
        from workers import app, options

        home.prepare()
        lock = home.hold("worker")
        try:
            return await app.serve(home, load(options.Options, "worker", home, flags), stop, log.get("worker"))
        finally:
            os.close(lock)

    return run_until_signalled(main)
