"""Handing warm sandboxes on to the process that this one becomes, and taking them up there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signet.kit.log import Log
from signet.work.v1 import work_pb2
from workers.authority import Authority
from workers.builder import Builder
from workers.kept import Kept
from workers.placeholders import Placeholders
from workers.policies import permissions
from workers.pool import Pool
from workers.restart import Carried
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.handover import Handover
from workers.sandbox.launcher import Launcher

Left = tuple[Mapping[str, Any], Sequence[int]]
"""What is left to the process that goes on: state, and descriptors."""


async def handed(pool: Pool, launcher: Launcher, log: Log) -> Left | None:
    """Give up the idle cells without ending them, and say what `taken` has to know; all others are closed.

    None where they cannot be handed on.
    """
    kept = await pool.part(set(launcher.sandboxes))
    try:
        handover = await launcher.handover()
    except SandboxUnavailable as error:
        log.warning("sandboxes_not_kept", reason=error.reason)
        return None
    return {"launcher": handover.state, "cells": [cell.to_wire() for cell in kept]}, handover.fds


def adopted(found: Carried | None, log: Log) -> Launcher | None:
    """Go on with the zygote of the process before; None where there is none that can be gone on with."""
    if found is None or not found.fds:
        return None
    try:
        return Launcher.adopt(Handover(dict(found.state["launcher"]), list(found.fds)))
    except SandboxUnavailable as error:
        log.warning("sandboxes_not_kept", reason=error.reason)
        return None


async def taken(found: Carried, launcher: Launcher, builder: Builder, pool: Pool, log: Log) -> None:
    """Make cells again of what `handed` gave; a sandbox that is not known any more is closed."""
    sandboxes = dict(launcher.sandboxes)
    for kept in map(Kept.from_wire, found.state["cells"]):
        if sandbox := sandboxes.pop(kept.sandbox, None):
            authority = Authority.restored(Path(kept.bundle), kept.authority)
            order = work_pb2.PolicyOrder.FromString(kept.order)
            try:
                cell = await builder.around(sandbox, permissions(order), authority, Placeholders(kept.seed), kept.log)
            except SandboxUnavailable as error:
                log.warning("sandbox_not_kept", sandbox=kept.sandbox, reason=error.reason)
                continue
            cell.go_on(kept)
            pool.adopt(cell)
    for sandbox in sandboxes.values():
        await sandbox.aclose()
    builder.skip(len(found.state["cells"]) and max(_number(kept["sandbox"]) for kept in found.state["cells"]))


def _number(sandbox: str) -> int:
    number = sandbox.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
