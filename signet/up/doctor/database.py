"""The database of the router: its own, or one that several routers share."""

import asyncio
from importlib import import_module

from signet.kit.home import Home
from signet.kit.lifecycle import StartError
from signet.kit.options import load
from signet.up.doctor.finding import Finding

_NAME = "database of router"


def database(home: Home) -> Finding:
    """See whether it can be used, and which routers do."""
    try:
        options = load(import_module("router.options").RouterOptions, "router", home, {})
    except StartError:
        return Finding(_NAME, "warning", "not looked at", "mend the options of router first")
    try:
        said = asyncio.run(import_module("router.replicas.look").look(home, options))
    except StartError as error:
        return Finding(_NAME, "broken", str(error), "see router.database in docs/replicas.md")
    return Finding(_NAME, "ok", said)
