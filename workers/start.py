"""What a worker needs before it can be one: its token, a zygote, and to know what a sandbox holds here."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from signet.kit.lifecycle import StartError
from signet.kit.log import Log
from signet.v1 import events_pb2
from signet.work.v1 import work_pb2
from workers.builder import Builder
from workers.cell import isolation, missing
from workers.options import Options
from workers.policies import permissions
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher

PROBE = "probe"


async def launched(preload: Sequence[str]) -> Launcher:
    """Start a zygote. Raises StartError."""
    try:
        return await Launcher.start(preload)
    except SandboxUnavailable as error:
        raise StartError(f"sandboxes cannot be started: {error}") from error


async def probed(builder: Builder, log: Log) -> events_pb2.IsolationReport:
    """See what a sandbox here holds; where none opens, runs will fail and say so, and the fleet sees why."""
    try:
        cell = await builder.open(permissions(work_pb2.PolicyOrder(), PROBE))
    except SandboxUnavailable as error:
        log.error("sandbox_unavailable", layer=error.layer, reason=error.reason, hint=error.hint)  # noqa: TRY400 - our log, and no trace
        return missing(error)
    await cell.aclose()
    return isolation(cell.sandbox.report)


async def secret(path: Path, options: Options, stop: asyncio.Event) -> str | None:
    """Read the worker's token, which control makes when it first starts; None when it is to stop first."""
    loop = asyncio.get_running_loop()
    until = loop.time() + options.start_seconds
    while not stop.is_set():
        try:
            if secret := path.read_text().strip():  # noqa: ASYNC240 - a few bytes, once
                return secret
        except FileNotFoundError:
            if loop.time() > until:
                raise StartError(f"there is no token in {path}: start `signet control` on this data folder") from None
        except OSError as error:
            raise StartError(f"cannot read {path}: {error.strerror}") from error
        try:
            async with asyncio.timeout(0.1):
                await stop.wait()
        except TimeoutError:
            continue
    return None
