"""Each tier has its driver; one that is not to be had is refused and never weakened."""

import pytest

from workers import tier
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.tier import driver_for


async def test_the_native_tiers_are_the_launchers_own() -> None:
    async with await Launcher.start() as launcher:
        assert driver_for("standard", launcher, ()) is launcher
        assert driver_for("strict", launcher, ()) is launcher
        for other in ("gvisor", "container"):
            assert driver_for(other, launcher, ()) is not launcher


async def test_a_tier_without_a_driver_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier, "DRIVERS", {"gvisor": ("workers.drivers.nowhere", "Gvisor")})
    async with await Launcher.start() as launcher:
        for wanted in ("gvisor", "microvm"):
            with pytest.raises(SandboxUnavailable, match=wanted) as refused:
                driver_for(wanted, launcher, ())
            assert (refused.value.layer, "standard, strict" in refused.value.hint) == ("tier", True)
