"""Preloaded into a zygote, it takes layers away from the sandboxes that are forked: those that WEAK names."""

import os

from workers.sandbox import enter, landlock, limits, linux, mounts, seccomp
from workers.sandbox.report import Report

LACKING = frozenset(os.environ["WEAK"].split(","))


def nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def no_landlock(*_: object, **__: object) -> int:
    """Say that the newest is in force."""
    return landlock.FULL_ABI


def trusting(*_: object) -> Report:
    """Report nothing, so that nobody sees what is lacking."""
    return Report(())


def take_away() -> None:
    """Take the layers away."""
    enter.probe = trusting  # type: ignore[assignment, attr-defined]  # a name that is only used there
    if "landlock" in LACKING:
        landlock.restrict = no_landlock
    if "seccomp" in LACKING:
        seccomp.install = nothing
    if "capabilities" in LACKING:
        linux.drop_bounding_capabilities = nothing
        linux.clear_capabilities = nothing
    if "limits" in LACKING:
        limits.apply = nothing
    if "noexec" in LACKING:
        mounts.NOEXEC = 0  # type: ignore[misc]  # a constant, and here is why it matters


def let_out() -> None:
    """Have the egress sidecar let everybody out, or lend secrets to any path and header of their host."""
    from signet.policy import lend
    from signet.policy.decide import Decision
    from workers.sidecars.egress.rules import Rules

    def everything(*_: object) -> Decision:
        return Decision("allow", "weak", "everything is let through")

    def anywhere(*_: object) -> bool:
        return True

    if "policy" in LACKING:
        for name in ("connection", "address", "request"):
            setattr(Rules, name, everything)
    if "lending" in LACKING:
        lend.carries = anywhere  # type: ignore[assignment]  # whatever it is asked


take_away()
if LACKING & {"policy", "lending"}:
    let_out()
