"""Souls: personas and their tool policies, read from files."""

from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.v1 import souls_pb2 as pb
from signet.v1.souls_pb2_grpc import SoulServiceStub

if TYPE_CHECKING:
    from signet.v1.souls_pb2_grpc import SoulServiceAsyncStub


class AsyncSouls:
    """The souls that agents may have. Names may be short (`general`) or full (`souls/general`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "SoulServiceAsyncStub":
        return SoulServiceStub(self._connection.channels.control)

    async def get(self, name: str) -> pb.Soul:
        """Give one soul whole; `problems` says what is wrong with its files. Raises NotFound, with near names."""
        request = pb.GetSoulRequest(name=qualify("souls", name))
        return (await self._connection.call(self._stub.GetSoul, request)).soul

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListSoulsResponse, pb.Soul]:
        """Give all souls by name; one whose files are bad is there with its problems."""
        request = pb.ListSoulsRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListSouls, request, lambda page: page.souls)
