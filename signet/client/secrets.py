"""Secrets: values that only the router keeps and that policies lend to agents' connections."""

from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, qualify_optional, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.v1 import secrets_pb2 as pb
from signet.v1.secrets_pb2_grpc import SecretServiceStub

if TYPE_CHECKING:
    from signet.v1.secrets_pb2_grpc import SecretServiceAsyncStub

MAX_VALUE_BYTES = 64 * 1024
"""The longest value, in bytes of UTF-8."""


class AsyncSecrets:
    """The secrets of a fleet. Names may be short (`github-token`) or full (`secrets/github-token`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "SecretServiceAsyncStub":
        return SecretServiceStub(self._connection.channels.router)

    async def put(self, name: str, value: str, *, owner: str = "") -> pb.Secret:
        """Store a value, 1 byte to 64 KiB on one line, over an earlier one of the name; it never comes out again.

        `owner`: the agent, or `tokens/{token}` the user, whose it is and with whom it goes; empty for everybody's.
        Raises InvalidArgument, ResourceExhausted, FailedPrecondition.
        """
        secret = pb.Secret(name=qualify("secrets", name), owner=_owner(owner))
        request = pb.PutSecretRequest(secret=secret, value=utf8("value", value))
        return (await self._connection.call(self._stub.PutSecret, request)).secret

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListSecretsResponse, pb.Secret]:
        """Give all secrets by name and owner, without their values."""
        request = pb.ListSecretsRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListSecrets, request, lambda page: page.secrets)

    async def delete(self, name: str, *, owner: str = "") -> None:
        """Remove a secret at once; `owner` as for `put`. Raises NotFound, FailedPrecondition."""
        request = pb.DeleteSecretRequest(name=qualify("secrets", name), owner=_owner(owner))
        await self._connection.call(self._stub.DeleteSecret, request, repeat=False)

    async def vault(self) -> pb.Vault:
        """Say which keys seal the secrets and providers' keys, never a key itself."""
        return (await self._connection.call(self._stub.GetVault, pb.GetVaultRequest())).vault

    async def rotate(self) -> pb.Vault:
        """Seal everything with a new key. Raises FailedPrecondition where the one that there is opens not all."""
        request = pb.RotateVaultKeyRequest()
        return (await self._connection.call(self._stub.RotateVaultKey, request, repeat=False)).vault


def _owner(name: str) -> str:
    return name if name.startswith("tokens/") else qualify_optional("agents", name)
