"""Policies: what agents may reach, run and use, in versions."""

from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import FailedPrecondition, invalid
from signet.v1 import policies_pb2 as pb
from signet.v1.policies_pb2_grpc import PolicyServiceStub

if TYPE_CHECKING:
    from signet.v1.policies_pb2_grpc import PolicyServiceAsyncStub

MAX_DOCUMENT_BYTES = 256 * 1024
"""The longest document of a policy, in bytes of UTF-8."""


class AsyncPolicies:
    """The policies of a fleet. Names may be short (`default`) or full (`policies/default`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "PolicyServiceAsyncStub":
        return PolicyServiceStub(self._connection.channels.control)

    async def apply(
        self, name: str, document: str, *, dry_run: bool = False, expected_version: int = 0
    ) -> pb.ApplyPolicyResponse:
        """Store a YAML document as the policy's newest version and put it in force, on running sandboxes too.

        `dry_run` only checks it and tells what it would change. `expected_version`: the version it was made from; 0
        does not check. Raises InvalidArgument (POLICY_INVALID, a violation for each problem), Aborted (another version
        came meanwhile).
        """
        size = len(utf8("document", document).encode())
        if size > MAX_DOCUMENT_BYTES:
            raise invalid(("document", f"is {size / 1024:.0f} KiB; at most 256 KiB fits"))
        request = pb.ApplyPolicyRequest(
            name=qualify("policies", name), document=document, dry_run=dry_run, expected_version=expected_version
        )
        return await self._connection.call(self._stub.ApplyPolicy, request, repeat=dry_run)

    async def get(self, name: str) -> pb.GetPolicyResponse:
        """Give a policy and the version that is in force. Raises NotFound, with near names."""
        request = pb.GetPolicyRequest(name=qualify("policies", name))
        return await self._connection.call(self._stub.GetPolicy, request)

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListPoliciesResponse, pb.Policy]:
        """Give all policies by name."""
        request = pb.ListPoliciesRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListPolicies, request, lambda page: page.policies)

    async def delete(self, name: str) -> None:
        """Remove a policy. Raises NotFound, FailedPrecondition (agents name it, or it is built in)."""
        request = pb.DeletePolicyRequest(name=qualify("policies", name))
        await self._connection.call(self._stub.DeletePolicy, request, repeat=False)

    def versions(
        self, name: str, *, page_size: int = 0, page_token: str = ""
    ) -> Pages[pb.ListPolicyVersionsResponse, pb.PolicyVersion]:
        """Give a policy's versions, newest first, without their documents. Raises NotFound."""
        request = pb.ListPolicyVersionsRequest(
            policy=qualify("policies", name), page_size=page_size, page_token=page_token
        )
        return Pages(self._connection, lambda: self._stub.ListPolicyVersions, request, lambda page: page.versions)

    async def version(self, name: str, number: int) -> pb.PolicyVersion:
        """Give one version with its document. Raises NotFound."""
        request = pb.GetPolicyVersionRequest(policy=qualify("policies", name), version=number)
        return (await self._connection.call(self._stub.GetPolicyVersion, request)).version

    async def effective(self, agent: str) -> pb.EffectivePolicy:
        """Give what is in force for an agent: the last good version of its policy, and its grants. Raises NotFound."""
        request = pb.GetEffectivePolicyRequest(agent=qualify("agents", agent))
        return (await self._connection.call(self._stub.GetEffectivePolicy, request)).policy

    async def undo(self, name: str) -> pb.ApplyPolicyResponse:
        """Apply the good version before the one in force, as a new version; doing it twice comes back.

        Raises NotFound, FailedPrecondition where there is none before it, Aborted (another version came meanwhile).
        """
        policy = (await self.get(name)).policy
        async for one in self.versions(policy.name):
            if one.version < policy.version and one.state != pb.POLICY_STATE_FAILED:
                before = await self.version(policy.name, one.version)
                return await self.apply(policy.name, before.document, expected_version=policy.newest_version)
        raise FailedPrecondition("POLICY_NOT_FOUND", f"{policy.name} has no good version before {policy.version}")
