"""The worker put together: the only place that constructs."""

import asyncio
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata

from signet.kit import dial
from signet.kit.home import Home
from signet.kit.lifecycle import StartError, notify
from signet.kit.log import Log
from signet.v1 import events_pb2
from signet.work.v1 import work_pb2
from workers import takeover
from workers.approvals import Approvals
from workers.attach import Attach
from workers.builder import Builder
from workers.claim import Claimer
from workers.control import Control
from workers.directives import Directives
from workers.execute import Execution, Means
from workers.lease import Keeper
from workers.open import OpenSandboxes
from workers.options import Options
from workers.orders import Orders
from workers.pool import Pool
from workers.reserved import Reserved
from workers.restart import Restart, carried, carry
from workers.runtime import RUNTIMES
from workers.sandbox.launcher import Launcher
from workers.sandbox.spec import Command, Entry
from workers.start import launched, probed, secret
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


async def serve(
    home: Home,
    options: Options,
    stop: asyncio.Event,
    log: Log,
    *,
    runtimes: Mapping[str, Entry | Command] = RUNTIMES,
    preload: Sequence[str] = PRELOAD,
) -> int:
    """Be a worker until `stop`; after SIGHUP go on as a new program, which has this one's pid and warm sandboxes.

    Raises StartError where it cannot begin, or when the zygote dies: begin again then.
    """
    token = await secret(options.token_file if options.token_file.name else home.tokens / "worker", options, stop)
    if token is None:
        return 0
    before, restart = carried(), Restart(stop, log)
    adopted = takeover.adopted(before, log)
    launcher = adopted or await launched(preload)
    left: takeover.Left | None = None
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
                door=options.door or home.target("door.sock"),
                control=options.control,
                reserved=Reserved((home.root, home.sockets)),
                preload=[module for module in preload if not module.startswith(SIDECARS)],
            )
            pool = Pool(builder, most_warm=options.warm_sandboxes, idle_seconds=options.idle_seconds)
            means = Means(
                control=control,
                pool=pool,
                approvals=approvals,
                runtimes=runtimes,
                door=options.door or home.target("door.sock"),
                router_wait_seconds=options.router_wait_seconds,
                tool_seconds=options.tool_seconds,
                log=log,
            )
            try:
                if before and adopted:
                    await takeover.taken(before, launcher, builder, pool, log)
                registration = _registration(options.capacity, await probed(builder, log), runtimes)
                await _run(means, registration, launcher, restart, options)
                left = await takeover.handed(pool, launcher, log) if restart.due else None
            finally:
                await pool.aclose()
    finally:
        await launcher.aclose()
    if restart.due:
        carry(*(left or ({}, ())))
    return 0


def _registration(
    capacity: int, isolation: events_pb2.IsolationReport, runtimes: Mapping[str, Entry | Command]
) -> work_pb2.RegisterWorkerRequest:
    return work_pb2.RegisterWorkerRequest(
        host=f"{platform.node()}, {platform.system()} {platform.release()}, {platform.machine()}",
        version=metadata.version("signet"),
        capacity=capacity,
        isolation=isolation,
        runtimes=list(runtimes),
    )


async def _run(
    means: Means,
    registration: work_pb2.RegisterWorkerRequest,
    launcher: Launcher,
    restart: Restart,
    options: Options,
) -> None:
    control, pool, log = means.control, means.pool, means.log
    keeper = Keeper(control, lambda: pool.size, log)
    execute = partial(Execution, means)
    claimer = Claimer(keeper, registration, execute, ready=partial(notify, "READY=1"), means=means)
    attach = Attach(control, pool, log)
    orders = Orders(claimer, pool, means.approvals, attach, log)
    report = OpenSandboxes(options.name, pool, control.report_sandboxes, orders.load, log)
    async with restart.listening(), asyncio.TaskGroup() as group:
        beside = [
            group.create_task(keeper.run(orders.obey)),
            group.create_task(Directives(control, orders.obey).run()),
            group.create_task(report.run()),
            group.create_task(pool.run()),
            group.create_task(restart.run(claimer.rest, options.restart_seconds)),
            group.create_task(_watch(launcher)),
        ]
        await claimer.run(restart.ending, options.drain_seconds)
        for task in beside:
            task.cancel()
    await attach.aclose()
    await orders.aclose()


async def _watch(launcher: Launcher) -> None:
    await launcher.wait()
    raise StartError("the sandboxes' zygote died, and every sandbox with it: the worker has to start again")
