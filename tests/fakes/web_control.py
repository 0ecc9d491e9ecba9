"""The fake fleet as pages need it: scripts that wait at gates, codes that work once, whole records."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from signet.kit.auth import Caller
from signet.kit.errors import Unauthenticated
from signet.kit.home import Home
from signet.kit.log import Log
from signet.kit.names import uuid7
from signet.kit.rpc import OPEN_METHODS, Guard, serving
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
    workers_pb2,
    workers_pb2_grpc,
)
from tests.fakes import boundary, control
from tests.fakes.control import State, text, tool

LAYERS = (
    ("user namespace", 1, "uid 0 inside is 200001 outside"),
    ("pid namespace", 1, "1 process seen"),
    ("network namespace", 1, "no route; 127.0.0.2:80 only"),
    ("mount namespace", 1, "system read-only, /workspace writable"),
    ("ipc namespace", 1, ""),
    ("uts namespace", 1, ""),
    ("capabilities", 1, "none"),
    ("no_new_privs", 1, ""),
    ("landlock", 2, "ABI 4: no device ioctl"),
    ("seccomp", 1, "fork bomb and ptrace refused"),
    ("rlimits", 1, "processes, files, memory"),
)


@dataclass(frozen=True)
class Gate:
    """A step of a script: wait here until the test opens the gate of this name."""

    name: str


Script = tuple[events_pb2.RunEvent | Gate | control.Hold, ...]


@dataclass
class Fleet:
    """The fake's state, the gates of its scripts, and the sign-in codes that were not used yet."""

    state: State
    scripts: dict[str, Script] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    def code(self) -> str:
        code = hashlib.sha256(uuid7().encode()).hexdigest()[:24]
        self.codes.add(code)
        return code


def digest(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()


def sandbox() -> events_pb2.RunEvent:
    layers = [events_pb2.IsolationLayer(name=name, state=state, detail=why) for name, state, why in LAYERS]  # type: ignore[arg-type] # a wire value
    report = events_pb2.IsolationReport(layers=layers)
    opened = events_pb2.SandboxOpened(sandbox="s-1", open_micros=8_400, isolation=report)
    return events_pb2.RunEvent(sandbox_opened=opened)


def thinking(index: int) -> events_pb2.RunEvent:
    started = events_pb2.ModelCallStarted(index=index, model="models/embedded/smollm2", path="/v1/chat/completions")
    return events_pb2.RunEvent(model_call_started=started)


def thought(index: int, micros: int = 412_000) -> events_pb2.RunEvent:
    usage = usage_pb2.Usage(input_tokens=412, output_tokens=63, calls=1)
    finished = events_pb2.ModelCallFinished(
        index=index, path="/v1/chat/completions", model="models/embedded/smollm2", provider="embedded", status=200,
        upstream_model="smollm2", duration_micros=micros, first_byte_micros=61_000, usage=usage,
        request_digest=digest(f"request {index}"), response_digest=digest(f"response {index}"),
    )  # fmt: skip
    return events_pb2.RunEvent(model_call_finished=finished)


ANSWER = (
    "Your workspace holds **three** files:\n\n"
    "| file | bytes | what it is |\n|:--|--:|:--|\n| `haiku.txt` | 71 | a poem |\n| `notes.md` | 1204 | notes |\n"
    "| `sum.py` | 88 | a script |\n\n"
    "The script adds what it is given:\n\n```python\nimport sys\n\n\ndef total(values: list[str]) -> int:\n"
    '    """Add them up."""\n    return sum(int(value) for value in values)  # no floats\n\n\n'
    "print(total(sys.argv[1:]))\n```\n\nIt can be run with `python sum.py 1 2 3`.\n"
)


def pieces(whole: str, size: int = 24) -> list[events_pb2.RunEvent]:
    return [text(whole[start : start + size]) for start in range(0, len(whole), size)]


LISTING = """total 12
-rw-r--r-- 1 agent agent   71 haiku.txt
-rw-r--r-- 1 agent agent 1204 notes.md
-rw-r--r-- 1 agent agent   88 sum.py
"""


def listing() -> list[events_pb2.RunEvent]:
    """Script a run with a tool call and an answer with a table and code."""
    call = tool("exec", '{"command": "ls -l /workspace", "timeout_seconds": 30}', LISTING, output=[LISTING])
    return [sandbox(), thinking(1), thought(1), *call, thinking(2), *pieces(ANSWER), thought(2, 1_830_000)]


class Runs(control.Runs):
    """Runs whose scripts may wait at gates."""

    def __init__(self, fleet: Fleet, tasks: asyncio.TaskGroup) -> None:
        super().__init__(fleet.state, tasks)
        self.fleet = fleet

    async def CreateRun(self, request: Any, context: Any) -> Any:
        answer = await super().CreateRun(request, context)
        run = self.state.runs[answer.run.name]
        parts = {part: digest(f"{run.agent} {part}") for part in ("soul", "tools", "runtime", "model", "permissions")}
        run.stamp.CopyFrom(runs_pb2.Stamp(digest=digest("".join(parts.values())), **parts))
        return runs_pb2.CreateRunResponse(run=run)

    async def play(self, run: runs_pb2.Run) -> None:
        run.state = runs_pb2.RUN_STATE_RUNNING
        run.start_time.GetCurrentTime()
        run.worker, run.attempts = "workers/local", 1
        await self.append(run, events_pb2.RunEvent(claimed=events_pb2.RunClaimed(worker="workers/local", attempt=1)))
        output = ""
        for step in self.fleet.scripts.get(run.input, control.HELLO):
            if not isinstance(step, events_pb2.RunEvent):
                await self._wait(run, step)
            elif step.HasField("finished"):
                return await self.finish(run, step.finished)
            else:
                output = "" if step.HasField("tool_call_started") else output + step.text.text
                run.tool_calls += step.HasField("tool_call_started")
                run.model_calls += step.HasField("model_call_started")
                await self.append(run, step)
            if run.cancel_requested:
                break
        outcome = "CANCELLED" if run.cancel_requested else "SUCCEEDED"
        usage = usage_pb2.Usage(input_tokens=824, output_tokens=126, calls=run.model_calls)
        message = "tokens/operator asked for it" if run.cancel_requested else ""
        finished = events_pb2.RunFinished(outcome=outcome, output=output.strip(), usage=usage, message=message)
        return await self.finish(run, finished)

    async def _wait(self, run: runs_pb2.Run, step: Gate | control.Hold) -> None:
        name = step.name if isinstance(step, Gate) else "never"
        gate = asyncio.create_task(self.fleet.gate(name).wait())

        async def cancelled() -> None:
            async with self.state.bell:
                await self.state.bell.wait_for(lambda: run.cancel_requested)

        cancel = asyncio.create_task(cancelled())
        await asyncio.wait([gate, cancel], return_when=asyncio.FIRST_COMPLETED)
        gate.cancel()
        cancel.cancel()

    async def finish(self, run: runs_pb2.Run, finished: events_pb2.RunFinished) -> None:
        await super().finish(run, finished)
        run.record_digest = digest(run.name)

    async def ListRuns(self, request: Any, context: Any) -> Any:
        answer = await super().ListRuns(request, context)
        kept = [
            run
            for run in answer.runs
            if request.session in {"", run.session}
            and request.model in {"", run.model}
            and run.stamp.digest.startswith(request.stamp)
        ]
        return runs_pb2.ListRunsResponse(runs=kept, next_page_token=answer.next_page_token)

    async def GetRecord(self, request: Any, context: Any) -> Any:
        run = self._run(request.name)
        events = self.state.events[run.name]
        started: dict[Any, events_pb2.RunEvent] = {}
        calls, exchanges = [], []
        for event in events:
            kind = event.WhichOneof("kind")
            if kind in {"tool_call_started", "model_call_started"}:
                part = getattr(event, kind)
                started[part.id if kind == "tool_call_started" else part.index] = event
            elif kind == "tool_call_finished":
                begun = started[event.tool_call_finished.id]
                calls.append(
                    runs_pb2.ToolCall(
                        id=event.tool_call_finished.id, tool=begun.tool_call_started.tool, verdict="allow",
                        arguments=begun.tool_call_started.arguments, result=event.tool_call_finished.result,
                        is_error=event.tool_call_finished.is_error, start_time=begun.time,
                        duration_micros=event.tool_call_finished.duration_micros,
                    )
                )  # fmt: skip
            elif kind == "model_call_finished":
                ended = event.model_call_finished
                exchange = runs_pb2.Exchange(start_time=started[ended.index].time)
                for name in ("index", "path", "model", "provider", "upstream_model", "status", "request_digest",
                             "response_digest", "first_byte_micros", "duration_micros"):  # fmt: skip
                    setattr(exchange, name, getattr(ended, name))
                exchange.usage.CopyFrom(ended.usage)
                exchanges.append(exchange)
        sources = {part: f"the canonical text of the {part}" for part in ("soul", "tools", "runtime", "model")}
        record = runs_pb2.Record(
            run=run,
            events=events,
            tool_calls=calls,
            exchanges=exchanges,
            stamp_sources=sources,
            digest=run.record_digest,
        )
        return runs_pb2.GetRecordResponse(record=record)


class Tokens(control.Tokens):
    """Codes that work once, and a token of its own for each browser."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet.state)
        self.fleet = fleet

    async def ExchangeSignInCode(self, request: Any, context: Any) -> Any:
        if request.code not in self.fleet.codes:
            raise Unauthenticated("CODE_UNKNOWN", "the code is wrong, used or expired", hint="signet sign-in")
        self.fleet.codes.remove(request.code)
        asked = tokens_pb2.CreateTokenRequest(token=tokens_pb2.Token(title="a browser"))
        made = await self.CreateToken(asked, context)
        return tokens_pb2.ExchangeSignInCodeResponse(token=made.token, secret=made.secret)


@asynccontextmanager
async def serve(fleet: Fleet, home: Home) -> AsyncIterator[None]:
    """Serve the fleet on the sockets of a home."""
    state = fleet.state
    home.prepare()
    state.boundary.note = state.note

    async def authenticate(secret: str) -> Caller:
        name = state.secrets.get(secret)
        if name is None:
            raise Unauthenticated("TOKEN_UNKNOWN", "the token is not known here", hint="signet sign-in")
        if state.tokens[name].HasField("revoke_time"):
            raise Unauthenticated("TOKEN_REVOKED", "the token was revoked", hint="signet sign-in")
        return Caller(name, "OPERATOR")

    open_methods = (*OPEN_METHODS, "/signet.v1.TokenService/ExchangeSignInCode")
    guard = Guard(Log("fake"), authenticate, lambda _method, _caller: None, open_methods)
    async with asyncio.TaskGroup() as tasks:
        parts: list[tuple[str, Any, str, Any, Any]] = [
            ("control.sock", agents_pb2, "Agent", agents_pb2_grpc, control.Agents(state)),
            ("control.sock", souls_pb2, "Soul", souls_pb2_grpc, control.Souls(state)),
            ("control.sock", sessions_pb2, "Session", sessions_pb2_grpc, control.Sessions(state)),
            ("control.sock", runs_pb2, "Run", runs_pb2_grpc, Runs(fleet, tasks)),
            ("control.sock", workers_pb2, "Worker", workers_pb2_grpc, control.Workers(state)),
            ("control.sock", tokens_pb2, "Token", tokens_pb2_grpc, Tokens(fleet)),
            ("router.sock", models_pb2, "Model", models_pb2_grpc, control.Models(state)),
            ("router.sock", providers_pb2, "Provider", providers_pb2_grpc, control.Providers(state)),
        ]
        async with AsyncExitStack() as stack:
            for socket in ("control.sock", "router.sock"):
                services = [control._service(*part[1:]) for part in parts if part[0] == socket]
                kept = {"control.sock": boundary.control_services, "router.sock": boundary.router_services}
                services += kept[socket](state.boundary)
                path = home.socket(socket)
                await stack.enter_async_context(serving(services, unix=path, tcp=None, guard=guard, grace_seconds=0.1))
            yield
            state.boundary.close()
        for run in state.runs.values():
            run.cancel_requested = True
        async with state.bell:
            state.bell.notify_all()
