"""What control consists of. Everything is constructed here, once, and handed to what uses it."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from types import ModuleType

from control import agents, appends, policies, scopes
from control.approvals import Approvals
from control.bells import TOKENS, Bells
from control.blobs import Blobs
from control.cancels import Cancels
from control.claims import Terms
from control.creation import Creation
from control.directory import Directory
from control.fleet import Fleet
from control.held import Held
from control.library import Library
from control.options import Options
from control.orders import Desk
from control.orphans import Orphans
from control.plan import Planner
from control.relay import Relays
from control.reports import Reports
from control.scheduler import Scheduler
from control.services.agents import AgentService
from control.services.approvals import ApprovalService
from control.services.policies import PolicyService
from control.services.runs import RunService
from control.services.sandboxes import SandboxService
from control.services.sessions import SessionService
from control.services.souls import SoulService
from control.services.tokens import TokenService
from control.services.work import Parts, WorkService
from control.services.workers import WorkerService
from control.store import agents as agent_rows
from control.store import database
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from control.sweeper import Sweeper
from control.tokens import SignIn, Tokens
from control.visits import Visits
from control.watch import Watching
from signet.kit import rpc
from signet.kit.home import Home
from signet.kit.lifecycle import notify
from signet.kit.log import Log, get
from signet.v1 import (
    agents_pb2,
    agents_pb2_grpc,
    approvals_pb2,
    approvals_pb2_grpc,
    policies_pb2,
    policies_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    sandboxes_pb2,
    sandboxes_pb2_grpc,
    sessions_pb2,
    sessions_pb2_grpc,
    souls_pb2,
    souls_pb2_grpc,
    tokens_pb2,
    tokens_pb2_grpc,
    workers_pb2,
    workers_pb2_grpc,
)
from signet.work.v1 import work_pb2, work_pb2_grpc

_WRONG_CODES = 10
"""Wrong sign-in codes that are answered in a minute."""


@dataclass(frozen=True)
class _Core:
    """What nearly everything here works with."""

    home: Home
    options: Options
    log: Log
    readers: Readers
    writer: Writer
    bells: Bells


async def serve(home: Home, options: Options, stop: asyncio.Event) -> int:
    """Serve until the event is set, then let running calls end. Gives the exit code.

    Raises StartError for an occupied port or a data folder that another control has, SchemaError for a newer database.
    """
    log = get("control")
    lock = home.hold("control")
    try:
        path = home.control / "control.db"
        database.open_schema(path)
        async with Readers(path) as readers, Writer(path) as writer:
            await _run(_Core(home, options, log, readers, writer, Bells()), stop)
    finally:
        os.close(lock)
    log.info("stopped")
    return 0


async def _run(core: _Core, stop: asyncio.Event) -> None:
    home, options, log, readers, writer, bells = (
        core.home,
        core.options,
        core.log,
        core.readers,
        core.writer,
        core.bells,
    )
    tokens = Tokens(readers, writer, home.tokens, partial(bells.ring, TOKENS))
    await tokens.open()
    await writer.write(partial(policies.seed, bells))
    await writer.write(_first_agent)
    held = Held(tokens, readers, home.key("run.key"))
    guard = rpc.Guard(log, held.authenticate, scopes.permit, open_methods=(*rpc.OPEN_METHODS, scopes.OPEN))
    sweeper = Sweeper(
        readers=readers,
        writer=writer,
        bells=bells,
        log=log,
        lease_seconds=options.lease_seconds,
        max_attempts=options.max_attempts,
    )
    orphans = Orphans(
        readers, bells, home.target("router.sock"), tokens.local_secret, log, call_seconds=options.router_seconds
    )
    relays = Relays(bells)
    tcp = f"{options.host}:{options.port}" if options.port else None
    async with (
        _services(core, tokens, relays) as services,
        rpc.serving(services, unix=home.socket("control.sock"), tcp=tcp, guard=guard) as port,
        asyncio.TaskGroup() as tasks,
    ):
        sweeping = tasks.create_task(sweeper.run())
        removing = tasks.create_task(orphans.run())
        tasks.create_task(relays.close())
        log.info("ready", socket=str(home.socket("control.sock")), port=port)
        notify("READY=1", f"serving on port {port}" if port else "serving")
        await stop.wait()
        bells.close()  # whoever waits for news leaves now, so the server need not cut them off
        sweeping.cancel()
        removing.cancel()


@asynccontextmanager
async def _services(core: _Core, tokens: Tokens, relays: Relays) -> AsyncIterator[list[rpc.Service]]:
    """Put the services together."""
    home, options, log, readers, writer, bells = (
        core.home,
        core.options,
        core.log,
        core.readers,
        core.writer,
        core.bells,
    )
    library = Library.shipped(home.souls)
    run_key = home.key("run.key")
    desk = Desk(relays, run_key)
    fleet = Fleet(readers, writer, bells, desk, options.lease_seconds, options.max_attempts)
    asked = Approvals(readers, writer, bells)
    visits = Visits(readers, run_key, options.lease_seconds)
    blobs = Blobs(home.control / "blobs")
    terms = Terms(options.lease_seconds, options.history_bytes, run_key)
    directory = Directory(
        home.target("router.sock"),
        tokens.local_secret,
        timeout_seconds=options.router_seconds,
        cache_seconds=options.models_cache_seconds,
    )
    async with directory:
        planner = Planner(library, directory, version("signet"))
        made = Creation(readers, writer, bells, planner, options.max_pending_runs)
        watching = Watching(readers, bells, options.max_watchers)
        cancels = Cancels(writer, bells)
        scheduler = Scheduler(writer, bells, terms, options.max_attempts, log)
        bounds = appends.Bounds(options.max_run_events, options.max_run_bytes)
        parts = Parts(
            readers=readers,
            writer=writer,
            bells=bells,
            scheduler=scheduler,
            fleet=fleet,
            reports=Reports(readers, writer, bells, desk),
            approvals=asked,
            relays=relays,
            blobs=blobs,
            bounds=bounds,
            log=log,
        )
        runs = RunService(readers=readers, made=made, cancels=cancels, watching=watching, blobs=blobs)
        yield [
            _service(agents_pb2, agents_pb2_grpc, "Agent", AgentService(readers, writer, bells, planner)),
            _service(souls_pb2, souls_pb2_grpc, "Soul", SoulService(library)),
            _service(sessions_pb2, sessions_pb2_grpc, "Session", SessionService(readers, writer)),
            _service(runs_pb2, runs_pb2_grpc, "Run", runs),
            _service(workers_pb2, workers_pb2_grpc, "Worker", WorkerService(readers, fleet)),
            _service(
                tokens_pb2,
                tokens_pb2_grpc,
                "Token",
                TokenService(readers, tokens, SignIn(writer, tokens, deque(maxlen=_WRONG_CODES))),
            ),
            _service(
                policies_pb2,
                policies_pb2_grpc,
                "Policy",
                PolicyService(readers, policies.Policies(readers, writer, bells), log),
            ),
            _service(
                approvals_pb2,
                approvals_pb2_grpc,
                "Approval",
                ApprovalService(readers=readers, writer=writer, bells=bells, asked=asked, log=log),
            ),
            _service(
                sandboxes_pb2,
                sandboxes_pb2_grpc,
                "Sandbox",
                SandboxService(readers=readers, writer=writer, relays=relays, visits=visits),
            ),
            _service(work_pb2, work_pb2_grpc, "Work", WorkService(parts)),
        ]


def _service(messages: ModuleType, stubs: ModuleType, noun: str, servicer: object) -> rpc.Service:
    name = f"{noun}Service"
    return rpc.Service(
        messages.DESCRIPTOR.services_by_name[name], getattr(stubs, f"add_{name}Servicer_to_server"), servicer
    )


def _first_agent(transaction: Transaction) -> None:
    """See that the agent of the first start is there; one that was deleted stays so."""
    agent = agents.fill(agents.ASSISTANT)
    if agent_rows.get(transaction.connection, agent.name.removeprefix("agents/")) is None:
        agent_rows.insert(transaction.connection, agent, transaction.now)
