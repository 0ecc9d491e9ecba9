"""A fleet in memory, really served: control's and the router's services on the unix sockets of a data folder.

What a run does is a script, chosen by its input; what a test wants to know is in the fields.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from signet.kit.auth import Caller
from signet.kit.errors import (
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    OutOfRange,
    SignetError,
    Unauthenticated,
    invalid,
    near,
)
from signet.kit.home import Home
from signet.kit.log import Log
from signet.kit.names import uuid7
from signet.kit.paging import Page
from signet.kit.rpc import OPEN_METHODS, Guard, Service, serving
from signet.v1 import (
    agents_pb2,
    agents_pb2_grpc,
    events_pb2,
    models_pb2,
    models_pb2_grpc,
    providers_pb2,
    providers_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    sessions_pb2,
    sessions_pb2_grpc,
    souls_pb2,
    souls_pb2_grpc,
    tokens_pb2,
    tokens_pb2_grpc,
    usage_pb2,
    usage_pb2_grpc,
    workers_pb2,
    workers_pb2_grpc,
)
from tests.fakes.boundary import Boundary, control_services, fenced, router_services

OPERATOR = "sgt_operator"
FINAL = (runs_pb2.RUN_STATE_SUCCEEDED, runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED)


@dataclass(frozen=True)
class Hold:
    """A step of a script: stay here until the run is cancelled or the test releases it."""


Step = events_pb2.RunEvent | Hold


def text(piece: str) -> events_pb2.RunEvent:
    return events_pb2.RunEvent(text=events_pb2.TextDelta(text=piece))


def tool(
    name: str, arguments: str, result: str, *, output: Iterable[str] = (), is_error: bool = False
) -> list[events_pb2.RunEvent]:
    ident = hashlib.sha256(f"{name}{arguments}".encode()).hexdigest()[:8]
    started = events_pb2.ToolCallStarted(id=ident, tool=name, arguments=arguments, verdict="allow")
    ended = events_pb2.ToolCallFinished(id=ident, result=result, is_error=is_error, duration_micros=12_300)
    pieces = [events_pb2.RunEvent(tool_output=events_pb2.ToolOutput(id=ident, text=piece)) for piece in output]
    return [
        events_pb2.RunEvent(tool_call_started=started),
        *pieces,
        events_pb2.RunEvent(tool_call_finished=ended),
    ]


def notice(code: str, message: str) -> events_pb2.RunEvent:
    return events_pb2.RunEvent(notice=events_pb2.Notice(code=code, message=message))


def failed(reason: str, message: str) -> events_pb2.RunEvent:
    return events_pb2.RunEvent(finished=events_pb2.RunFinished(outcome="FAILED", reason=reason, message=message))


HELLO: tuple[Step, ...] = (text("Hello"), text(" from a **fake** fleet.\n"))


@dataclass
class State:
    """What the fleet holds; it outlives a restart of the servers."""

    scripts: dict[str, tuple[Step, ...]] = field(default_factory=dict)
    agents: dict[str, agents_pb2.Agent] = field(default_factory=dict)
    souls: dict[str, souls_pb2.Soul] = field(default_factory=dict)
    sessions: dict[str, sessions_pb2.Session] = field(default_factory=dict)
    runs: dict[str, runs_pb2.Run] = field(default_factory=dict)
    events: dict[str, list[events_pb2.RunEvent]] = field(default_factory=dict)
    models: dict[str, models_pb2.Model] = field(default_factory=dict)
    providers: dict[str, providers_pb2.Provider] = field(default_factory=dict)
    found: list[providers_pb2.Provider] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    workers: dict[str, workers_pb2.Worker] = field(default_factory=dict)
    tokens: dict[str, tokens_pb2.Token] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=lambda: {OPERATOR: "tokens/operator"})
    usage: list[usage_pb2.UsageRow] = field(default_factory=list)
    calls: list[usage_pb2.Call] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[Message] = field(default_factory=list)
    """Every request that reached a handler, in order."""
    failures: dict[str, list[SignetError]] = field(default_factory=dict)
    """Errors to raise from a request type's name, one each time, before anything else."""
    break_after: list[int] = field(default_factory=list)
    """Sequences after which a watch breaks off, one each."""
    overlap: int = 0
    """How many events before the one asked for a watch repeats, as no service should."""
    boundary: Boundary = field(default_factory=fenced)
    """Policies, approvals, sandboxes and secrets."""
    bell: asyncio.Condition = field(default_factory=asyncio.Condition)

    def note(self, request: Message) -> None:
        """Keep a request, and fail where that is planned."""
        self.requests.append(request)
        planned = self.failures.get(type(request).__name__)
        if planned:
            raise planned.pop(0)

    def asked(self, kind: type[Message]) -> list[Any]:
        """Give the requests of a kind."""
        return [request for request in self.requests if isinstance(request, kind)]


def now() -> Timestamp:
    moment = Timestamp()
    moment.GetCurrentTime()
    return moment


def furnished() -> State:
    """Make a fleet with one of everything."""
    state = State()
    state.agents["agents/assistant"] = agents_pb2.Agent(
        name="agents/assistant", description="Helps with anything", soul="souls/general", runtime="builtin",
        model="models/default", create_time=now(), update_time=now(), etag="1", policy="policies/default",
        limits=agents_pb2.RunLimits(max_rounds=24, max_seconds=900, max_output_tokens=1024),
    )  # fmt: skip
    state.souls["souls/general"] = souls_pb2.Soul(
        name="souls/general", title="General", description="Helps with anything", category="general",
        text="# General\nYou help.", toolsets=souls_pb2.SoulToolsets(default_enabled=["files", "shell"]),
        origin=souls_pb2.SOUL_ORIGIN_CATALOG, digest="ab" * 32, version="1.0.0",
    )  # fmt: skip
    state.souls["souls/broken"] = souls_pb2.Soul(
        name="souls/broken", origin=souls_pb2.SOUL_ORIGIN_USER, problems=["manifest.yaml:3: `exce` is no toolset"]
    )
    state.models["models/embedded/smollm2"] = models_pb2.Model(
        name="models/embedded/smollm2", provider="providers/embedded", upstream_model="smollm2", is_default=True,
        profile=models_pb2.ModelProfile(
            context_tokens=4096, tool_choice=models_pb2.TOOL_CHOICE_EMBEDDING, demonstration=True, chat=True
        ),
        digest="cd" * 32, state=models_pb2.MODEL_STATE_READY,
    )  # fmt: skip
    state.providers["providers/embedded"] = providers_pb2.Provider(
        name="providers/embedded", kind=providers_pb2.PROVIDER_KIND_EMBEDDED, models=["smollm2"],
        state=providers_pb2.PROVIDER_STATE_READY, origin="built-in",
    )  # fmt: skip
    layers = [
        events_pb2.IsolationLayer(name=name, state=kind, detail=detail)
        for name, kind, detail in (
            ("network namespace", events_pb2.ISOLATION_STATE_ENFORCED, "no route, 1 listener"),
            ("landlock", events_pb2.ISOLATION_STATE_PARTIAL, "ABI 4: no device ioctl"),
        )
    ]
    state.workers["workers/local"] = workers_pb2.Worker(
        name="workers/local", state=workers_pb2.WORKER_STATE_READY, host="box Linux 6.12 x86_64", version="0.1.0",
        capacity=4, last_seen_time=now(), isolation=events_pb2.IsolationReport(layers=layers),
    )  # fmt: skip
    state.tokens["tokens/operator"] = tokens_pb2.Token(
        name="tokens/operator", title="this machine", scope=tokens_pb2.TOKEN_SCOPE_OPERATOR, create_time=now()
    )
    state.usage.append(
        usage_pb2.UsageRow(key="agents/assistant", usage=usage_pb2.Usage(input_tokens=1200, output_tokens=340, calls=7))
    )
    return state


def _page(request: Any, rows: list[Any]) -> tuple[list[Any], str]:
    page = Page.parse(request)
    start = int(page.position[0]) if page.position else 0
    end = start + page.size
    return rows[start:end], page.token(end) if end < len(rows) else ""


def _found(rows: Mapping[str, Any], name: str, reason: str, noun: str) -> Any:
    if name not in rows:
        message = f"no {noun} is named {name!r}.{near(name, rows)}"
        raise NotFound(f"{reason}_NOT_FOUND", message, hint=f"signet {noun} list")
    return rows[name]


class Agents(agents_pb2_grpc.AgentServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def CreateAgent(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        if request.agent.name in self.state.agents:
            raise AlreadyExists("NAME_TAKEN", f"{request.agent.name} is there already", hint="choose another name")
        if request.agent.soul:
            _found(self.state.souls, request.agent.soul, "SOUL", "soul")
        agent = agents_pb2.Agent(soul="souls/general", model="models/default", runtime="builtin", etag="1")
        agent.MergeFrom(request.agent)
        self.state.agents[agent.name] = agent
        return agents_pb2.CreateAgentResponse(agent=agent)

    async def GetAgent(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        return agents_pb2.GetAgentResponse(agent=_found(self.state.agents, request.name, "AGENT", "agent"))

    async def ListAgents(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        rows = [row for _, row in sorted(self.state.agents.items())]
        shown = [row for row in rows if request.show_deleted or not row.HasField("delete_time")]
        agents, token = _page(request, shown)
        return agents_pb2.ListAgentsResponse(agents=agents, next_page_token=token)

    async def UpdateAgent(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        agent = _found(self.state.agents, request.agent.name, "AGENT", "agent")
        request.update_mask.MergeMessage(request.agent, agent, replace_message_field=True, replace_repeated_field=True)
        return agents_pb2.UpdateAgentResponse(agent=agent)

    async def DeleteAgent(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        agent = _found(self.state.agents, request.name, "AGENT", "agent")
        if any(run.agent == agent.name and run.state not in FINAL for run in self.state.runs.values()):
            raise FailedPrecondition("RUNS_ACTIVE", f"{agent.name} has active runs", hint="cancel them first")
        agent.delete_time.GetCurrentTime()
        return agents_pb2.DeleteAgentResponse(agent=agent)

    async def UndeleteAgent(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        agent = _found(self.state.agents, request.name, "AGENT", "agent")
        agent.ClearField("delete_time")
        return agents_pb2.UndeleteAgentResponse(agent=agent)


class Souls(souls_pb2_grpc.SoulServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def ListSouls(self, request: Any, context: Any) -> Any:
        souls, token = _page(request, [row for _, row in sorted(self.state.souls.items())])
        return souls_pb2.ListSoulsResponse(souls=souls, next_page_token=token)

    async def GetSoul(self, request: Any, context: Any) -> Any:
        return souls_pb2.GetSoulResponse(soul=_found(self.state.souls, request.name, "SOUL", "soul"))


class Sessions(sessions_pb2_grpc.SessionServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def CreateSession(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        _found(self.state.agents, request.session.agent, "AGENT", "agent")
        session = sessions_pb2.Session(name=f"sessions/{uuid7()}", create_time=now(), update_time=now())
        session.MergeFrom(request.session)
        self.state.sessions[session.name] = session
        return sessions_pb2.CreateSessionResponse(session=session)

    async def GetSession(self, request: Any, context: Any) -> Any:
        return sessions_pb2.GetSessionResponse(session=_found(self.state.sessions, request.name, "SESSION", "session"))

    async def ListSessions(self, request: Any, context: Any) -> Any:
        rows = [row for row in reversed(self.state.sessions.values()) if request.agent in {"", row.agent}]
        sessions, token = _page(request, rows)
        return sessions_pb2.ListSessionsResponse(sessions=sessions, next_page_token=token)

    async def UpdateSession(self, request: Any, context: Any) -> Any:
        session = _found(self.state.sessions, request.session.name, "SESSION", "session")
        session.title = request.session.title
        return sessions_pb2.UpdateSessionResponse(session=session)

    async def DeleteSession(self, request: Any, context: Any) -> Any:
        _found(self.state.sessions, request.name, "SESSION", "session")
        del self.state.sessions[request.name]
        return sessions_pb2.DeleteSessionResponse()


class Runs(runs_pb2_grpc.RunServiceServicer):
    def __init__(self, state: State, tasks: asyncio.TaskGroup) -> None:
        self.state = state
        self.tasks = tasks
        self.request_ids: dict[str, str] = {}

    async def CreateRun(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        session = _found(self.state.sessions, request.session, "SESSION", "session") if request.session else None
        agent = request.agent or (session.agent if session else "")
        _found(self.state.agents, agent, "AGENT", "agent")
        for name, run in self.state.runs.items():
            if request.request_id and self.request_ids.get(request.request_id) == name:
                return runs_pb2.CreateRunResponse(run=run)
        if not request.input:
            raise invalid(("input", "must not be empty"))
        run = runs_pb2.Run(
            name=f"runs/{uuid7()}", agent=agent, session=request.session, input=request.input, create_time=now(),
            state=runs_pb2.RUN_STATE_PENDING, model=request.model or "models/embedded/smollm2",
            stamp=runs_pb2.Stamp(**{part: part[0] * 64 for part in _PARTS}),
        )  # fmt: skip
        self.request_ids[request.request_id] = run.name
        self.state.runs[run.name] = run
        self.state.events[run.name] = []
        if session:
            session.run_count += 1
            session.title = session.title or request.input[:40]
        created = events_pb2.RunCreated(agent=agent, model=run.model, input=run.input, stamp=run.stamp.digest)
        await self.append(run, events_pb2.RunEvent(created=created))
        self.tasks.create_task(self.play(run))
        return runs_pb2.CreateRunResponse(run=run)

    async def append(self, run: runs_pb2.Run, event: events_pb2.RunEvent) -> None:
        stored = events_pb2.RunEvent()
        stored.CopyFrom(event)
        run.last_sequence += 1
        stored.run, stored.sequence = run.name, run.last_sequence
        stored.time.GetCurrentTime()
        self.state.events[run.name].append(stored)
        async with self.state.bell:
            self.state.bell.notify_all()

    async def play(self, run: runs_pb2.Run) -> None:
        run.state = runs_pb2.RUN_STATE_RUNNING
        run.start_time.GetCurrentTime()
        run.worker, run.attempts = "workers/local", 1
        claimed = events_pb2.RunClaimed(worker="workers/local", attempt=1)
        await self.append(run, events_pb2.RunEvent(claimed=claimed))
        output = ""
        for step in self.state.scripts.get(run.input, HELLO):
            if isinstance(step, Hold):
                async with self.state.bell:
                    await self.state.bell.wait_for(lambda: run.cancel_requested)
                break
            if step.HasField("finished"):
                return await self.finish(run, step.finished)
            if step.HasField("text"):
                output += step.text.text
            if step.HasField("tool_call_started"):
                output = ""
                run.tool_calls += 1
            await self.append(run, step)
        outcome = "CANCELLED" if run.cancel_requested else "SUCCEEDED"
        reason = "CANCELLED" if run.cancel_requested else ""
        usage = usage_pb2.Usage(input_tokens=1234, output_tokens=56, calls=1)
        finished = events_pb2.RunFinished(outcome=outcome, output=output.strip(), reason=reason, usage=usage)
        return await self.finish(run, finished)

    async def finish(self, run: runs_pb2.Run, finished: events_pb2.RunFinished) -> None:
        run.state = _OUTCOMES[finished.outcome]
        run.output = finished.output
        run.usage.CopyFrom(finished.usage)
        if finished.reason:
            run.error.CopyFrom(runs_pb2.RunError(reason=finished.reason, message=finished.message))
        run.record_digest = "e" * 64
        run.end_time.GetCurrentTime()
        await self.append(run, events_pb2.RunEvent(finished=finished))

    def _run(self, name: str) -> runs_pb2.Run:
        matches = [run for key, run in self.state.runs.items() if key.startswith(name)]
        if len(matches) != 1:
            raise NotFound("RUN_NOT_FOUND", f"no single run is named {name!r}", hint="signet runs list")
        return matches[0]

    async def GetRun(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        return runs_pb2.GetRunResponse(run=self._run(request.name))

    async def ListRuns(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        rows = [
            run
            for run in reversed(self.state.runs.values())
            if request.agent in {"", run.agent}
            and request.session in {"", run.session}
            and (not request.states or run.state in request.states)
        ]
        runs, token = _page(request, rows)
        return runs_pb2.ListRunsResponse(runs=runs, next_page_token=token)

    async def CancelRun(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        run = self._run(request.name)
        if run.state not in FINAL and not run.cancel_requested:
            run.cancel_requested = True
            cancel = events_pb2.CancelRequested(caller="tokens/operator")
            await self.append(run, events_pb2.RunEvent(cancel_requested=cancel))
        return runs_pb2.CancelRunResponse(run=run)

    async def WatchRunEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.state.note(request)
        run = self._run(request.name)
        after = request.after_sequence
        if run.state in FINAL and after > run.last_sequence:
            raise OutOfRange("OUT_OF_RANGE", f"{run.name} ends with {run.last_sequence}, not {after}")
        after = max(after - self.state.overlap, 0)
        while True:
            for event in self.state.events[run.name][after:]:
                yield runs_pb2.WatchRunEventsResponse(events=[event])
                after = event.sequence
                if after in self.state.break_after:
                    self.state.break_after.remove(after)
                    return
            if request.replay_only or run.state in FINAL:
                return
            async with self.state.bell:
                while run.last_sequence <= after:
                    await self.state.bell.wait()

    async def GetRecord(self, request: Any, context: Any) -> Any:
        run = self._run(request.name)
        events = self.state.events[run.name]
        calls = [
            runs_pb2.ToolCall(id=event.tool_call_started.id, tool=event.tool_call_started.tool, verdict="allow",
                              arguments=event.tool_call_started.arguments, result="done", duration_micros=12_300)
            for event in events
            if event.HasField("tool_call_started")
        ]  # fmt: skip
        sources = {part: f"the {part}" for part in _PARTS[1:]}
        return runs_pb2.GetRecordResponse(
            record=runs_pb2.Record(
                run=run, events=events, tool_calls=calls, stamp_sources=sources, digest=run.record_digest
            )
        )

    async def GetBlob(self, request: Any, context: Any) -> AsyncIterator[Any]:
        body = _found(self.state.blobs, request.digest, "BLOB", "body")
        for start in range(0, len(body), 1 << 18):
            yield runs_pb2.GetBlobResponse(chunk=body[start : start + (1 << 18)])


_OUTCOMES = dict(zip(("SUCCEEDED", "FAILED", "CANCELLED"), FINAL, strict=True))
_PARTS = ("digest", "soul", "tools", "runtime", "model", "permissions")


class Workers(workers_pb2_grpc.WorkerServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def ListWorkers(self, request: Any, context: Any) -> Any:
        workers, token = _page(request, list(self.state.workers.values()))
        return workers_pb2.ListWorkersResponse(workers=workers, next_page_token=token)

    async def GetWorker(self, request: Any, context: Any) -> Any:
        return workers_pb2.GetWorkerResponse(worker=_found(self.state.workers, request.name, "WORKER", "worker"))

    async def DrainWorker(self, request: Any, context: Any) -> Any:
        worker = _found(self.state.workers, request.name, "WORKER", "worker")
        worker.draining = request.draining
        return workers_pb2.DrainWorkerResponse(worker=worker)


class Tokens(tokens_pb2_grpc.TokenServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def CreateToken(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        token = tokens_pb2.Token(name=f"tokens/{uuid7()}", create_time=now())
        token.MergeFrom(request.token)
        self.state.tokens[token.name] = token
        secret = f"sgt_{token.name[-12:]}"
        self.state.secrets[secret] = token.name
        return tokens_pb2.CreateTokenResponse(token=token, secret=secret)

    async def ListTokens(self, request: Any, context: Any) -> Any:
        tokens, page = _page(request, list(reversed(self.state.tokens.values())))
        return tokens_pb2.ListTokensResponse(tokens=tokens, next_page_token=page)

    async def RevokeToken(self, request: Any, context: Any) -> Any:
        token = _found(self.state.tokens, request.name, "TOKEN", "token")
        token.revoke_time.GetCurrentTime()
        return tokens_pb2.RevokeTokenResponse(token=token)

    async def CheckToken(self, request: Any, context: Any) -> Any:
        name = _found(self.state.secrets, request.secret, "TOKEN", "token")
        return tokens_pb2.CheckTokenResponse(token=self.state.tokens[name])

    async def CreateSignInCode(self, request: Any, context: Any) -> Any:
        return tokens_pb2.CreateSignInCodeResponse(code="once-only", expire_time=now())

    async def ExchangeSignInCode(self, request: Any, context: Any) -> Any:
        if request.code != "once-only":
            raise Unauthenticated("CODE_UNKNOWN", "the code is wrong, used or expired", hint="signet sign-in")
        return tokens_pb2.ExchangeSignInCodeResponse(token=self.state.tokens["tokens/operator"], secret=OPERATOR)


class Models(models_pb2_grpc.ModelServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def ListModels(self, request: Any, context: Any) -> Any:
        models, token = _page(request, list(self.state.models.values()))
        return models_pb2.ListModelsResponse(models=models, next_page_token=token)

    async def GetModel(self, request: Any, context: Any) -> Any:
        if request.name == "models/default":
            model = next(model for model in self.state.models.values() if model.is_default)
        else:
            model = _found(self.state.models, request.name, "MODEL", "model")
        return models_pb2.GetModelResponse(model=model)

    async def SetDefaultModel(self, request: Any, context: Any) -> Any:
        chosen = _found(self.state.models, request.name, "MODEL", "model")
        for model in self.state.models.values():
            model.is_default = model.name == chosen.name
        return models_pb2.SetDefaultModelResponse(model=chosen)


class Providers(providers_pb2_grpc.ProviderServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def CreateProvider(self, request: Any, context: Any) -> Any:
        if not request.provider.base_url.startswith("http"):
            raise invalid(
                ("provider.base_url", "must be an http or https address"), ("provider.name", "is not nice either")
            )
        provider = providers_pb2.Provider(origin="user", has_key=bool(request.key))
        provider.MergeFrom(request.provider)
        self.state.providers[provider.name] = provider
        self.state.keys[provider.name] = request.key
        return providers_pb2.CreateProviderResponse(provider=provider)

    async def ListProviders(self, request: Any, context: Any) -> Any:
        providers, token = _page(request, list(self.state.providers.values()))
        return providers_pb2.ListProvidersResponse(providers=providers, next_page_token=token)

    async def GetProvider(self, request: Any, context: Any) -> Any:
        return providers_pb2.GetProviderResponse(
            provider=_found(self.state.providers, request.name, "PROVIDER", "provider")
        )

    async def DeleteProvider(self, request: Any, context: Any) -> Any:
        provider = _found(self.state.providers, request.name, "PROVIDER", "provider")
        if provider.origin != "user":
            raise FailedPrecondition("BUILT_IN", f"{provider.name} is built in", hint="turn it off in the options")
        del self.state.providers[request.name]
        return providers_pb2.DeleteProviderResponse()

    async def CheckProvider(self, request: Any, context: Any) -> Any:
        provider = _found(self.state.providers, request.name, "PROVIDER", "provider")
        return providers_pb2.CheckProviderResponse(provider=provider, duration_micros=4200)

    async def ScanProviders(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        return providers_pb2.ScanProvidersResponse(providers=self.state.found)

    async def SetProviderKey(self, request: Any, context: Any) -> Any:
        provider = _found(self.state.providers, request.name, "PROVIDER", "provider")
        self.state.keys[provider.name] = request.key
        provider.has_key = bool(request.key)
        return providers_pb2.SetProviderKeyResponse(provider=provider)


class UsageSums(usage_pb2_grpc.UsageServiceServicer):
    def __init__(self, state: State) -> None:
        self.state = state

    async def ListUsage(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        rows, token = _page(request, self.state.usage)
        total = usage_pb2.Usage(input_tokens=sum(row.usage.input_tokens for row in self.state.usage), calls=7)
        return usage_pb2.ListUsageResponse(rows=rows, next_page_token=token, total=total)

    async def ListCalls(self, request: Any, context: Any) -> Any:
        self.state.note(request)
        calls, token = _page(request, self.state.calls)
        return usage_pb2.ListCallsResponse(calls=calls, next_page_token=token)


@asynccontextmanager
async def serve(state: State, home: Home) -> AsyncIterator[None]:
    """Serve the fleet on the sockets of a home, with the operator's token where clients look for it."""
    home.prepare()
    (home.tokens / "operator").write_text(OPERATOR)
    state.boundary.note = state.note

    async def authenticate(secret: str) -> Caller:
        if secret not in state.secrets:
            raise Unauthenticated("TOKEN_UNKNOWN", "the token is not known here", hint="signet token create")
        if state.tokens[state.secrets[secret]].HasField("revoke_time"):
            raise Unauthenticated("TOKEN_REVOKED", "the token was revoked", hint="signet token create")
        return Caller(state.secrets[secret], "OPERATOR")

    open_methods = (*OPEN_METHODS, "/signet.v1.TokenService/ExchangeSignInCode")
    guard = Guard(Log("fake"), authenticate, lambda _method, _caller: None, open_methods)
    async with asyncio.TaskGroup() as tasks:
        control = [
            _service(agents_pb2, "Agent", agents_pb2_grpc, Agents(state)),
            _service(souls_pb2, "Soul", souls_pb2_grpc, Souls(state)),
            _service(sessions_pb2, "Session", sessions_pb2_grpc, Sessions(state)),
            _service(runs_pb2, "Run", runs_pb2_grpc, Runs(state, tasks)),
            _service(workers_pb2, "Worker", workers_pb2_grpc, Workers(state)),
            _service(tokens_pb2, "Token", tokens_pb2_grpc, Tokens(state)),
            *control_services(state.boundary),
        ]
        router = [
            _service(models_pb2, "Model", models_pb2_grpc, Models(state)),
            _service(providers_pb2, "Provider", providers_pb2_grpc, Providers(state)),
            _service(usage_pb2, "Usage", usage_pb2_grpc, UsageSums(state)),
            *router_services(state.boundary),
        ]
        async with AsyncExitStack() as stack:
            for services, socket in ((control, "control.sock"), (router, "router.sock")):
                serving_it = serving(services, unix=home.socket(socket), tcp=None, guard=guard, grace_seconds=0.1)
                await stack.enter_async_context(serving_it)
            yield
            state.boundary.close()
        for run in state.runs.values():
            run.cancel_requested = True
        async with state.bell:
            state.bell.notify_all()


def _service(messages: Any, noun: str, stubs: Any, servicer: Any) -> Service:
    name = f"{noun}Service"
    return Service(
        messages.DESCRIPTOR.services_by_name[name], getattr(stubs, f"add_{name}Servicer_to_server"), servicer
    )
