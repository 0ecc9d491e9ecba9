import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from signet.kit import dial, log, rpc
from signet.kit.auth import Caller, current_caller
from signet.kit.deadlines import shorter
from signet.kit.errors import (
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    SignetError,
    Unauthenticated,
    from_rpc,
    invalid,
)
from signet.kit.lifecycle import StartError
from signet.v1 import runs_pb2, runs_pb2_grpc


class Runs(runs_pb2_grpc.RunServiceServicer):
    """Answers by what the name asks for."""

    async def GetRun(self, request: runs_pb2.GetRunRequest, context: Any) -> runs_pb2.GetRunResponse:
        if request.name == "bad":
            raise invalid(("name", "must be `runs/{run}`"))
        if request.name == "fault":
            raise ValueError("a secret detail")
        left = shorter(None)
        return runs_pb2.GetRunResponse(run=runs_pb2.Run(name=current_caller().name, attempts=int(left or 0)))

    async def WatchRunEvents(
        self, request: runs_pb2.WatchRunEventsRequest, context: Any
    ) -> AsyncIterator[runs_pb2.WatchRunEventsResponse]:
        yield runs_pb2.WatchRunEventsResponse()
        raise NotFound("RUN_NOT_FOUND", f"no {request.name}")


async def authenticate(secret: str) -> Caller:
    if secret != "good":
        raise Unauthenticated("TOKEN_UNKNOWN", "no such token")
    return Caller("tokens/one", "OPERATOR")


def permit(method: str, caller: Caller) -> None:
    if method.endswith("CancelRun"):
        raise PermissionDenied("SCOPE_MISSING", f"{caller.name} may not")


def service() -> rpc.Service:
    descriptor = runs_pb2.DESCRIPTOR.services_by_name["RunService"]
    return rpc.Service(descriptor, runs_pb2_grpc.add_RunServiceServicer_to_server, Runs())  # type: ignore[abstract] # it serves two methods


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[str]:
    guard = rpc.Guard(log.get("test"), authenticate, permit)
    async with rpc.serving([service()], unix=tmp_path / "s", tcp=None, guard=guard, grace_seconds=0):
        yield f"unix:{tmp_path / 's'}"


async def refused(target: str, token: str | None, name: str) -> SignetError:
    async with dial.channel(target, token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await runs_pb2_grpc.RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(name=name))
    return from_rpc(caught.value)


async def test_a_good_token_names_the_caller(socket: str) -> None:
    async with dial.channel(socket, "good") as channel:
        answer = await runs_pb2_grpc.RunServiceStub(channel).GetRun(runs_pb2.GetRunRequest(), timeout=40)

    assert answer.run.name == "tokens/one"
    assert 30 <= answer.run.attempts <= 40, "the caller's deadline reaches the handler"


@pytest.mark.parametrize(("token", "reason"), [(None, "TOKEN_MISSING"), ("wrong", "TOKEN_UNKNOWN")])
async def test_without_a_good_token_nothing_is_served(socket: str, token: str | None, reason: str) -> None:
    error = await refused(socket, token, "x")

    assert isinstance(error, Unauthenticated)
    assert error.reason == reason


async def test_what_the_scope_does_not_allow_is_denied(socket: str) -> None:
    async with dial.channel(socket, "good") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await runs_pb2_grpc.RunServiceStub(channel).CancelRun(runs_pb2.CancelRunRequest())

    assert isinstance(from_rpc(caught.value), PermissionDenied)


async def test_bad_fields_reach_the_caller(socket: str) -> None:
    error = await refused(socket, "good", "bad")

    assert isinstance(error, InvalidArgument)
    assert error.violations[0].field == "name"


async def test_a_fault_of_ours_leaks_nothing_and_is_in_the_log(socket: str, capfd: pytest.CaptureFixture[str]) -> None:
    error = await refused(socket, "good", "fault")
    line = json.loads(capfd.readouterr().err.splitlines()[-1])

    assert isinstance(error, Internal)
    assert "secret" not in error.message
    assert line["error_id"] in error.message
    assert line["kind"] == "ValueError"


@pytest.mark.parametrize("body", [b"\x0a\x02\xff\xfe", b"\x0a\xff"])
async def test_what_is_no_message_is_refused_as_the_callers_mistake(socket: str, body: bytes) -> None:
    """A text that is not UTF-8, and a length that leads beyond the end."""
    async with dial.channel(socket, "good") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/signet.v1.RunService/GetRun")(body)  # type: ignore[arg-type]  # bytes as they are

    error = from_rpc(caught.value)
    assert isinstance(error, InvalidArgument)
    assert "UTF-8" in error.message


async def test_an_error_in_a_stream_comes_after_what_was_sent(socket: str) -> None:
    async with dial.channel(socket, "good") as channel:
        stream = runs_pb2_grpc.RunServiceStub(channel).WatchRunEvents(runs_pb2.WatchRunEventsRequest(name="runs/x"))
        first = await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()

    assert first == runs_pb2.WatchRunEventsResponse()
    assert from_rpc(caught.value).reason == "RUN_NOT_FOUND"


async def test_health_needs_no_token(socket: str) -> None:
    async with dial.channel(socket) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service="signet.v1.RunService"))

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_an_occupied_port_is_named() -> None:
    guard = rpc.Guard(log.get("test"), authenticate, permit)
    async with rpc.serving([service()], unix=None, tcp="127.0.0.1:0", guard=guard, grace_seconds=0) as port:
        with pytest.raises(StartError, match=f"127.0.0.1:{port}"):
            async with rpc.serving([service()], unix=None, tcp=f"127.0.0.1:{port}", guard=guard):
                pass
