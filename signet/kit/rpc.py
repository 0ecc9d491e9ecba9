"""gRPC as every Signet process serves it: one guard for callers and errors, health, reflection, keepalive."""

from __future__ import annotations  # grpc's types take parameters in its stubs only

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from signet.kit import deadlines
from signet.kit.auth import Caller, set_caller
from signet.kit.dial import KEEPALIVE
from signet.kit.errors import Internal, InvalidArgument, SignetError, Unauthenticated, scrubbed, to_status
from signet.kit.lifecycle import StartError
from signet.kit.log import Log

_SERVER = (
    *KEEPALIVE,
    ("grpc.so_reuseport", 0),  # else a second server would share the port in silence
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
)

Authenticate = Callable[[str], Awaitable[Caller]]
"""Give the caller behind a token's secret. Raises Unauthenticated."""

Permit = Callable[[str, Caller], None]
"""Let a caller use a method, `/signet.v1.RunService/GetRun`, or raise PermissionDenied."""

OPEN_METHODS = ("/grpc.health.", "/grpc.reflection.")
"""Prefixes of methods that need no token on any server."""


@dataclass(frozen=True)
class Service:
    """One servicer: how it is added to a server, and its descriptor for reflection and health."""

    descriptor: ServiceDescriptor
    add: Callable[[Any, grpc.aio.Server], None]
    servicer: Any


@dataclass(frozen=True)
class Guard:
    """What stands before every method: who may call, and what the caller is told when it fails.

    What the log's `scrub` takes out of lines it takes out of errors, too.
    """

    log: Log
    authenticate: Authenticate
    permit: Permit
    open_methods: tuple[str, ...] = field(default=OPEN_METHODS)

    async def admit(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Name the caller of this call, or raise."""
        if method.startswith(self.open_methods):
            return
        metadata = dict(context.invocation_metadata() or ())
        scheme, _, secret = str(metadata.get("authorization", "")).partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated(
                "TOKEN_MISSING",
                "this call needs a token: send metadata `authorization: Bearer …`",
                hint="signet token create",
            )
        caller = await self.authenticate(secret)
        self.permit(method, caller)
        set_caller(caller)


class _Interceptor(grpc.aio.ServerInterceptor):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None  # gRPC answers UNIMPLEMENTED itself
        method: str = handler_call_details.method
        serializers = (_lenient(handler.request_deserializer), handler.response_serializer)
        if handler.response_streaming:
            behavior = handler.stream_stream if handler.request_streaming else handler.unary_stream
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(self._stream(method, behavior), *serializers)
        behavior = handler.stream_unary if handler.request_streaming else handler.unary_unary
        make_unary: Any = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )
        answer: grpc.RpcMethodHandler[Any, Any] = make_unary(self._unary(method, behavior), *serializers)
        return answer

    def _unary(self, method: str, behavior: Any) -> Any:
        async def call(request: Any, context: Any) -> Any:
            try:
                await self._guard.admit(method, context)
                deadlines.enter(context.time_remaining())
                return await behavior(_parsed(request), context)
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets one clear error
                await self._refuse(method, context, error)

        return call

    def _stream(self, method: str, behavior: Any) -> Any:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                await self._guard.admit(method, context)
                deadlines.enter(context.time_remaining())
                answers = behavior(_parsed(request), context)
                if hasattr(answers, "__aiter__"):
                    async for answer in answers:
                        yield answer
                else:
                    await answers  # a handler that writes to the context itself
            except Exception as error:  # noqa: BLE001 - as above
                await self._refuse(method, context, error)

        return call

    async def _refuse(self, method: str, context: Any, error: Exception) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if not isinstance(error, SignetError):
            ident = uuid.uuid4().hex[:12]
            trace = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in _frames(error)]
            self._guard.log.error("rpc_failed", method=method, error_id=ident, kind=type(error).__name__, at=trace[-6:])
            error = Internal("INTERNAL", f"a fault of ours; the log has it as {ident}", hint="signet doctor")
        await context.abort_with_status(rpc_status.to_status(to_status(scrubbed(error, self._guard.log.scrub))))


@dataclass(frozen=True)
class _Malformed:
    """Stands for a request that could not be parsed, until somebody can answer for it."""

    why: str


def _lenient(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Parse without raising: gRPC itself would answer UNKNOWN with the name of a Python class."""

    def parse(data: bytes) -> Any:
        try:
            return deserialize(data) if deserialize else data
        except DecodeError as error:
            return _Malformed(str(error).rpartition(": ")[2])

    return parse


def _parsed(request: Any) -> Any:
    """Give a request, or what a stream of requests gives, or raise for one that is malformed."""
    if isinstance(request, _Malformed):
        message = f"the request cannot be read: {request.why}; texts must be valid UTF-8"
        raise InvalidArgument("INVALID_FIELD", message)
    return _each_parsed(request) if hasattr(request, "__aiter__") else request


async def _each_parsed(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _parsed(request)


def _frames(error: Exception) -> Iterable[Any]:
    import traceback

    return traceback.extract_tb(error.__traceback__)


@asynccontextmanager
async def serving(
    services: Sequence[Service],
    *,
    unix: Path | None,
    tcp: str | None,
    guard: Guard,
    grace_seconds: float = 2.0,
    receive_bytes: int = 4 << 20,
) -> AsyncIterator[int]:
    """Serve on a unix socket and, where given, on `host:port`. Gives the TCP port (0 without one).

    A message that is received has at most `receive_bytes`. On leaving, health says NOT_SERVING and running calls have
    `grace_seconds`. Raises StartError for an occupied port.
    """
    options = (*_SERVER, ("grpc.max_receive_message_length", receive_bytes))
    server = grpc.aio.server(interceptors=[_Interceptor(guard)], options=options)
    doctor = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(doctor, server)
    names = [service.descriptor.full_name for service in services]
    for service in services:
        service.add(service.servicer, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = _bind(server, unix, tcp)
    await server.start()
    if unix:
        os.chmod(unix, 0o600)  # noqa: PTH101 - the event loop is not held up by a chmod
    for name in ("", *names):
        await doctor.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield port
    finally:
        await asyncio.shield(doctor.enter_graceful_shutdown())
        await asyncio.shield(server.stop(grace_seconds))


def _bind(server: grpc.aio.Server, unix: Path | None, tcp: str | None) -> int:
    if unix:
        unix.unlink(missing_ok=True)
        server.add_insecure_port(f"unix:{unix}")
    if not tcp:
        return 0
    try:
        return server.add_insecure_port(tcp)
    except RuntimeError as error:
        raise StartError(
            f"cannot listen on {tcp}: another program has it. Choose another port in the options, or 0 for none"
        ) from error
