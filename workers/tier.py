"""Which driver opens a tier's sandboxes. A tier that is not to be had is refused, never weakened."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Spec

NATIVE = ("standard", "strict")
DRIVERS: Mapping[str, tuple[str, str]] = {
    "gvisor": ("workers.drivers.gvisor", "Gvisor"),
    "container": ("workers.drivers.container", "Container"),
}
"""The module and the class of each tier that is not the launcher's own; imported where an agent first asks for it."""


class Driver(Protocol):
    """Opens sandboxes of one kind."""

    async def open(self, spec: Spec) -> Sandbox:
        """Open one with every layer on and probed. Raises SandboxUnavailable, which names the layer."""


def driver_for(tier: str, launcher: Launcher, preload: Sequence[str]) -> Driver:
    """Give the driver of a tier; `preload` are the modules whose entries are to be started inside.

    Raises SandboxUnavailable for a tier that this worker does not have.
    """
    if tier in NATIVE:
        return launcher
    hint = f"Choose one of the tiers {', '.join([*NATIVE, *DRIVERS])} in the agent's policy."
    if tier not in DRIVERS:
        raise SandboxUnavailable(f"this worker has no tier {tier!r}.", layer="tier", hint=hint)
    module, name = DRIVERS[tier]
    try:
        driver: Driver = getattr(importlib.import_module(module), name)(preload)
    except ImportError as error:
        raise SandboxUnavailable(f"the tier {tier} cannot be had: {error}.", layer="tier", hint=hint) from error
    return driver
