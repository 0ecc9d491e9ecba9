"""The data folder, the options in it, its sockets, and the fleet's ports."""

from collections.abc import Iterator
from importlib import import_module

from signet.kit.home import LAYOUT, Home, HomeError
from signet.kit.lifecycle import StartError
from signet.kit.options import load
from signet.up import occupied
from signet.up.doctor.finding import Finding
from signet.up.door import ask
from signet.up.plan import DOORS, Choices, port
from signet.up.ports import holder

_OPTIONS = {
    "control": "control.options:Options",
    "router": "router.options:RouterOptions",
    "worker": "workers.options:Options",
    "web": "web.options:WebOptions",
}


def folder(home: Home) -> Finding:
    """See whose the data folder is, who may read it, and which version laid it out."""
    if not home.root.exists():
        return Finding("data folder", "ok", f"{home.root} is not there yet; `signet up` makes it")
    try:
        home.prepare()
    except HomeError as error:
        return Finding("data folder", "broken", str(error), "see above")
    return Finding("data folder", "ok", f"{home.root}, mode 0700, layout {LAYOUT}")


def options(home: Home) -> Iterator[Finding]:
    """See whether the options of every process can be read."""
    for section, where in _OPTIONS.items():
        module, _, name = where.partition(":")
        try:
            load(getattr(import_module(module), name), section, home, {})
        except StartError as error:
            yield Finding(f"options of {section}", "broken", str(error), f"mend {home.config} or the environment")
            continue
        yield Finding(f"options of {section}", "ok", "as they should be")


def sockets(home: Home) -> Finding:
    """See where the sockets are, and whether a fleet answers."""
    place = str(home.sockets)
    if not home.sockets.exists():
        return Finding("sockets", "ok", f"{place}, made at the start")
    try:
        answers = ask(home.socket("up.sock"), "status") is not None
    except (OSError, ValueError) as error:
        return Finding("sockets", "broken", f"{place}: the supervisor does not answer ({error})", "signet down")
    return Finding("sockets", "ok", f"{place}, a fleet answers" if answers else place)


def ports(home: Home) -> Iterator[Finding]:
    """See whether the fleet's ports can be taken, or are its own."""
    for door in DOORS:
        number = port(door, home, Choices())
        if not number:
            yield Finding(f"port of {door.name}", "ok", "off" if door.name != "web" else "any free one")
            continue
        held = holder(number)
        if held is None:
            yield Finding(f"port of {door.name}", "ok", f"{number} is free")
        elif occupied.ours(held, home):
            yield Finding(f"port of {door.name}", "ok", f"{number}, this fleet's {held}")
        else:
            yield Finding(f"port of {door.name}", "broken", f"{number} is taken by {held}", occupied.mend(door))


def fleet(home: Home) -> Iterator[Finding]:
    """See how the fleet is, where one runs."""
    found = ask(home.socket("up.sock"), "status")
    if found is None:
        yield Finding("fleet", "ok", "does not run; `signet up` starts it")
        return
    for shown in found["processes"]:
        ready = shown["state"] == "ready"
        said = f"{shown['state']}, {shown['restarts']} restarts"
        mend = "" if ready else f"read {shown['log']}"
        yield Finding(f"fleet: {shown['name']}", "ok" if ready else "broken", said, mend)
