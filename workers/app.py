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
from workers.approvals import Approvals
from workers.attach import Attach
from workers.builder import Builder
from workers.cell import isolation, missing
from workers.claim import Claimer
from workers.control import Control
from workers.directives import Directives
from workers.execute import Execution, Means
from workers.lease import Keeper
from workers.open import OpenSandboxes
from workers.options import Options
from workers.orders import Orders
from workers.policies import permissions
from workers.pool import Pool
from workers.runtime import RUNTIMES
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.spec import Command, Entry
from workers.workspace import Workspaces

PRELOAD = (
    "workers.runtimes.builtin.main",
    "workers.tools.host",
    "workers.tools.archive",
    "workers.sidecars.inference",
    "workers.sidecars.egress.main",
)
"""What is forked, never imported, when a run begins."""
SIDECARS = "workers.sidecars."
"""Modules below it run beside sandboxes, all others inside."""
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
    door = options.door or home.target("door.sock")
    try:
        async with dial.channel(options.control or home.target("control.sock"), token) as channel:
            control = Control(channel, f"workers/{options.name}")
            approvals = Approvals(control)
            builder = Builder(
                launcher,
                Workspaces(home.workspaces),
                approvals,
                log,
                bundles=home.workspaces.parent / "bundles",
                door=door,
                preload=[module for module in preload if not module.startswith(SIDECARS)],
            )
            pool = Pool(builder, most_warm=options.warm_sandboxes, idle_seconds=options.idle_seconds)
            registration = work_pb2.RegisterWorkerRequest(
                host=f"{platform.node()}, {platform.system()} {platform.release()}, {platform.machine()}",
                version=metadata.version("signet"),
                capacity=options.capacity,
                isolation=await _probed(builder, log),
                runtimes=list(runtimes),
            )
            means = Means(
                control=control,
                pool=pool,
                approvals=approvals,
                runtimes=runtimes,
                door=door,
                router_wait_seconds=options.router_wait_seconds,
                tool_seconds=options.tool_seconds,
                log=log,
            )
            try:
                return await _run(means, registration, launcher, stop, options)
            finally:
                await pool.aclose()
    finally:
        await launcher.aclose()


async def _run(
    means: Means,
    registration: work_pb2.RegisterWorkerRequest,
    launcher: Launcher,
    stop: asyncio.Event,
    options: Options,
) -> int:
    control, pool, log = means.control, means.pool, means.log
    keeper = Keeper(control, lambda: pool.size, log)
    execute = partial(Execution, means)
    claimer = Claimer(keeper, registration, execute, ready=partial(notify, "READY=1"), means=means)
    attach = Attach(control, pool, log)
    orders = Orders(claimer, pool, means.approvals, attach, log)
    report = OpenSandboxes(options.name, pool, control.report_sandboxes, orders.load, log)
    async with asyncio.TaskGroup() as group:
        beside = [
            group.create_task(keeper.run(orders.obey)),
            group.create_task(Directives(control, orders.obey).run()),
            group.create_task(report.run()),
            group.create_task(pool.run()),
            group.create_task(_watch(launcher)),
        ]
        await claimer.run(stop, options.drain_seconds)
        for task in beside:
            task.cancel()
    await attach.aclose()
    await orders.aclose()
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
