"""The process `control`: keeps the state of the fleet and decides."""

import asyncio
from collections.abc import Mapping

from control.app import serve
from control.options import Options
from control.store.database import SchemaError
from signet.kit.home import Home
from signet.kit.lifecycle import notify, run_until_signalled
from signet.kit.log import get
from signet.kit.options import load

NEWER_SCHEMA = 6
"""Exit code for a database that a newer Signet wrote."""


def run(home: Home, flags: Mapping[str, str]) -> int:
    """Serve until a signal. Gives the exit code: 0, 1 for what keeps it from starting, 6 for a newer database."""

    async def main(stop: asyncio.Event) -> int:
        home.prepare()
        return await serve(home, load(Options, "control", home, flags), stop)

    try:
        return run_until_signalled(main)
    except SchemaError as error:
        get("control").error("start_failed", message=str(error))
        notify("ERRNO=1", str(error))
        return NEWER_SCHEMA
