"""Providers: the endpoints that serve models."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

from signet.client.checks import qualify
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import invalid
from signet.v1 import providers_pb2 as pb
from signet.v1.providers_pb2_grpc import ProviderServiceStub

if TYPE_CHECKING:
    from signet.v1.providers_pb2_grpc import ProviderServiceAsyncStub


_SCAN_SECONDS = 120.0  # 64 hosts that swallow every packet take half a minute


class AsyncProviders:
    """The endpoints that the router asks. Names may be short (`acme`) or full (`providers/acme`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "ProviderServiceAsyncStub":
        return ProviderServiceStub(self._connection.channels.router)

    async def create(
        self,
        name: str,
        *,
        base_url: str,
        kind: str = "",
        key: str = "",
        models: Sequence[str] = (),
        input_price_microusd_per_million: int | None = None,
        output_price_microusd_per_million: int | None = None,
    ) -> pb.Provider:
        """Add an endpoint, for example `https://api.example.org/v1`.

        `kind` is a word of ProviderKind in any case (`ollama`, `openai`); empty: the endpoint is asked which it is. The
        key, at most 8 KiB, goes in and never comes out; empty for an endpoint without one. With `models` only these
        are offered. Unknown prices make unknown costs, not free ones. Raises AlreadyExists, InvalidArgument.
        """
        provider = pb.Provider(
            name=qualify("providers", name),
            kind=_kind(kind),
            base_url=base_url,
            models=models,
            input_price_microusd_per_million=input_price_microusd_per_million,
            output_price_microusd_per_million=output_price_microusd_per_million,
        )
        request = pb.CreateProviderRequest(provider=provider, key=key)
        return (await self._connection.call(self._stub.CreateProvider, request, repeat=False)).provider

    async def get(self, name: str) -> pb.Provider:
        """Give one provider. Raises NotFound."""
        request = pb.GetProviderRequest(name=qualify("providers", name))
        return (await self._connection.call(self._stub.GetProvider, request)).provider

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListProvidersResponse, pb.Provider]:
        """Give all providers by name."""
        request = pb.ListProvidersRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListProviders, request, lambda page: page.providers)

    async def check(self, name: str) -> pb.CheckProviderResponse:
        """Ask the endpoint for its models now; the answer says what was found and how long it took. Raises NotFound."""
        request = pb.CheckProviderRequest(name=qualify("providers", name))
        return await self._connection.call(self._stub.CheckProvider, request)

    async def scan(self, *hosts: str) -> Sequence[pb.Provider]:
        """Look for local servers of models on 1 to 64 hosts, names or addresses, `:port` behind one for one place.

        Nothing is added. What is found is ready for `create`, under a name that is free; one that is a provider already
        has that one's name and an `origin`. Raises InvalidArgument.
        """
        request = pb.ScanProvidersRequest(hosts=hosts)
        call = self._connection.call(self._stub.ScanProviders, request, timeout_seconds=_SCAN_SECONDS)
        return (await call).providers

    async def set_key(self, name: str, key: str) -> pb.Provider:
        """Replace a provider's key, at most 8 KiB; empty removes it. Calls that run go on with the old one.

        Raises NotFound, InvalidArgument, FailedPrecondition (built in, or from the environment).
        """
        request = pb.SetProviderKeyRequest(name=qualify("providers", name), key=key)
        return (await self._connection.call(self._stub.SetProviderKey, request, repeat=False)).provider

    async def delete(self, name: str) -> None:
        """Remove an endpoint and its key. Raises NotFound, FailedPrecondition (built in, or from the environment)."""
        request = pb.DeleteProviderRequest(name=qualify("providers", name))
        await self._connection.call(self._stub.DeleteProvider, request, repeat=False)


def _kind(word: str) -> pb.ProviderKind:
    if not word:
        return pb.PROVIDER_KIND_UNSPECIFIED
    inside = (pb.PROVIDER_KIND_UNSPECIFIED, pb.PROVIDER_KIND_EMBEDDED)
    known = {
        name.removeprefix("PROVIDER_KIND_"): value for name, value in pb.ProviderKind.items() if value not in inside
    }
    if word.upper() not in known:
        raise invalid(("provider.kind", f"must be one of {', '.join(known).lower()}, not {word!r}"))
    return cast(pb.ProviderKind, known[word.upper()])
