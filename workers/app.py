"""The worker put together: the only place that constructs."""

import asyncio
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

from signet.kit import dial
from signet.kit.home import Home
from signet.kit.lifecycle import StartError, notify
from signet.kit.log import Log
from signet.v1 import events_pb2
from signet.work.v1 import work_pb2
from workers.cell import Builder, isolation, missing
from workers.claim import Claimer
from workers.control import Control
from workers.directives import Directives
from workers.execute import Execution, Means
from workers.lease import Keeper
from workers.options import Options
from workers.policies import permissions
from workers.pool import Pool
from workers.runtime import RUNTIMES
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.spec import Command, Entry
from workers.workspace import Workspaces

PRELOAD = ("workers.runtimes.builtin.main", "workers.tools.host", "workers.sidecars.inference")
"""What is forked, never imported, when a run begins."""
PROBE = "probe"


async def serve(
    home: Home,
    options: Options,
    stop: asyncio.Event,
    log: Log,
    *,
    runtimes: Mapping[str, Entry | Command] = RUNTIMES,
    preload: Sequence[str] = PRELOAD,
) -> int:
    """Be a worker until `stop`. Raises StartError where it cannot begin, or when the zygote dies: begin again then."""
    token = await _token(options.token_file if options.token_file.name else home.tokens / "worker", options, stop)
    if token is None:
        return 0
    launcher = await _launcher(preload)
    builder = Builder(launcher, Workspaces(home.workspaces), log)
    pool = Pool(builder, most_warm=options.warm_sandboxes, idle_seconds=options.idle_seconds)
    try:
        registration = work_pb2.RegisterWorkerRequest(
            host=f"{platform.node()}, {platform.system()} {platform.release()}, {platform.machine()}",
            version=metadata.version("signet"),
            capacity=options.capacity,
            isolation=await _probed(builder, log),
            runtimes=list(runtimes),
        )
        async with dial.channel(options.control or home.target("control.sock"), token) as channel:
            control = Control(channel, f"workers/{options.name}")
            means = Means(
                control=control,
                pool=pool,
                runtimes=runtimes,
                door=options.door or home.target("door.sock"),
                router_wait_seconds=options.router_wait_seconds,
                tool_seconds=options.tool_seconds,
                log=log,
            )
            return await _run(means, registration, launcher, stop, options.drain_seconds)
    finally:
        await pool.aclose()
        await launcher.aclose()


async def _run(
    means: Means,
    registration: work_pb2.RegisterWorkerRequest,
    launcher: Launcher,
    stop: asyncio.Event,
    drain_seconds: float,
) -> int:
    control = means.control
    keeper = Keeper(control, lambda: means.pool.size, means.log)
    execute = partial(Execution, means)
    claimer = Claimer(keeper, registration, execute, ready=partial(notify, "READY=1"), means=means)
    async with asyncio.TaskGroup() as group:
        beside = [
            group.create_task(keeper.run(claimer.obey)),
            group.create_task(Directives(control, claimer.obey).run()),
            group.create_task(means.pool.run()),
            group.create_task(_watch(launcher)),
        ]
        await claimer.run(stop, drain_seconds)
        for task in beside:
            task.cancel()
    return 0


async def _watch(launcher: Launcher) -> None:
    await launcher.wait()
    raise StartError("the sandboxes' zygote died, and every sandbox with it: the worker has to start again")


async def _launcher(preload: Sequence[str]) -> Launcher:
    try:
        return await Launcher.start(preload)
    except SandboxUnavailable as error:
        raise StartError(f"sandboxes cannot be started: {error}") from error


async def _probed(builder: Builder, log: Log) -> events_pb2.IsolationReport:
    """See what a sandbox here holds; where none opens, runs will fail and say so, and the fleet sees why."""
    try:
        cell = await builder.open(permissions(work_pb2.PolicyOrder(), PROBE))
    except SandboxUnavailable as error:
        log.error("sandbox_unavailable", layer=error.layer, reason=error.reason, hint=error.hint)  # noqa: TRY400 - our log, and no trace
        return missing(error)
    await cell.aclose()
    return isolation(cell.sandbox.report)


async def _token(path: Path, options: Options, stop: asyncio.Event) -> str | None:
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
