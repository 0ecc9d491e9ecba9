"""gRPC as everything in Signet dials it: the caller's token, deadlines handed on, a peer that was away found again."""

from __future__ import annotations  # grpc's types take parameters in its stubs only

from typing import Any

import grpc

from signet.kit import deadlines

KEEPALIVE = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # the default is a minute: a stopped peer would go unseen that long
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)

OPTIONS = (
    *KEEPALIVE,
    # what was restarted is found again at once, and not after the two minutes that are gRPC's default
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # in spite of its name, how long an attempt to connect may take
    ("grpc.max_receive_message_length", 96 << 20),  # the record of a long run; control bounds it by its options
)


def channel(target: str, token: str | None = None) -> grpc.aio.Channel:
    """Dial `unix:/path` or `host:port`; every call carries the token and the deadline of the call being served."""
    interceptors: list[Any] = [
        _UnaryUnary(token), _UnaryStream(token), _StreamUnary(token), _StreamStream(token)
    ]  # fmt: skip
    return grpc.aio.insecure_channel(target, options=OPTIONS, interceptors=interceptors)


class _Sender:
    """Adds token and deadline. One class per arity: gRPC registers an interceptor for its first kind only."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def _details(self, details: Any) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if self._token and metadata.get("authorization") is None:
            metadata.add("authorization", f"Bearer {self._token}")
        timeout = deadlines.shorter(details.timeout)
        return grpc.aio.ClientCallDetails(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready
        )


class _UnaryUnary(_Sender, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._details(client_call_details), request)


class _UnaryStream(_Sender, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._details(client_call_details), request)


class _StreamUnary(_Sender, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)


class _StreamStream(_Sender, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)
