"""PolicyService: what agents may reach, run and use."""

from functools import partial

from control import effective, policies
from control.lookup import agent_in, policy_in
from control.pages import within
from control.policies import Application, Policies
from control.store import policies as store
from control.store.database import Connection
from control.store.policies import Policy, Version
from control.store.readers import Readers
from signet.kit.auth import current_caller
from signet.kit.errors import NotFound, invalid
from signet.kit.log import Log
from signet.kit.names import parse, parse_slug
from signet.kit.paging import Page
from signet.kit.times import now_micros, stamp
from signet.v1 import policies_pb2, policies_pb2_grpc


class PolicyService(policies_pb2_grpc.PolicyServiceServicer):
    """Serves policies."""

    def __init__(self, readers: Readers, made: Policies, log: Log) -> None:
        self._readers = readers
        self._policies = made
        self._log = log

    async def ApplyPolicy(
        self, request: policies_pb2.ApplyPolicyRequest, _context: object
    ) -> policies_pb2.ApplyPolicyResponse:
        """Store a document and put it in force."""
        ident = parse_slug("policies", request.name)
        if request.expected_version < 0:
            raise invalid(("expected_version", f"must be 0 or more, not {request.expected_version}"))
        draft = policies.read(request.document)
        wanted = Application(ident, draft, request.expected_version, current_caller().name)
        if request.dry_run:
            applied = await self._policies.preview(wanted)
        else:
            applied = await self._policies.apply(wanted)
            version = applied.version.version if applied.version else 0
            self._log.info("policy_applied", policy=ident, version=version, good=not draft.problems)
        if draft.problems:
            raise policies.refusal(request.name, draft)
        if applied.version is None:
            return policies_pb2.ApplyPolicyResponse(version=_preview(wanted), changes=applied.lines)
        shown = await self._readers.read(partial(_version, found=applied.version, whole=True))
        return policies_pb2.ApplyPolicyResponse(version=shown, changes=applied.lines)

    async def GetPolicy(
        self, request: policies_pb2.GetPolicyRequest, _context: object
    ) -> policies_pb2.GetPolicyResponse:
        """Give a policy and the version in force."""
        ident = parse("policies", request.name)
        return await self._readers.read(partial(_policy_whole, ident=ident))

    async def ListPolicies(
        self, request: policies_pb2.ListPoliciesRequest, _context: object
    ) -> policies_pb2.ListPoliciesResponse:
        """Give a page of policies."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = await self._readers.read(partial(store.page, after=after, limit=page.size + 1))
        shown = found[: page.size]
        more = page.token(shown[-1].id) if len(found) > page.size else ""
        return policies_pb2.ListPoliciesResponse(policies=map(_policy, shown), next_page_token=more)

    async def DeletePolicy(
        self, request: policies_pb2.DeletePolicyRequest, _context: object
    ) -> policies_pb2.DeletePolicyResponse:
        """Remove a policy."""
        ident = parse("policies", request.name)
        await self._policies.delete(ident)
        self._log.info("policy_deleted", policy=ident, caller=current_caller().name)
        return policies_pb2.DeletePolicyResponse()

    async def ListPolicyVersions(
        self, request: policies_pb2.ListPolicyVersionsRequest, _context: object
    ) -> policies_pb2.ListPolicyVersionsResponse:
        """Give a page of a policy's versions."""
        page = Page.parse(request)
        before = int(page.position[0]) if page.position else None
        ident = parse("policies", request.policy, "policy")
        found = await self._readers.read(partial(_versions, policy=ident, before=before, limit=page.size + 1))
        shown = within(found[: page.size])
        more = page.token(shown[-1].version) if len(found) > len(shown) else ""
        return policies_pb2.ListPolicyVersionsResponse(versions=shown, next_page_token=more)

    async def GetPolicyVersion(
        self, request: policies_pb2.GetPolicyVersionRequest, _context: object
    ) -> policies_pb2.GetPolicyVersionResponse:
        """Give one version with its document."""
        ident = parse("policies", request.policy, "policy")
        version = await self._readers.read(partial(_one_version, policy=ident, number=request.version))
        return policies_pb2.GetPolicyVersionResponse(version=version)

    async def GetEffectivePolicy(
        self, request: policies_pb2.GetEffectivePolicyRequest, _context: object
    ) -> policies_pb2.GetEffectivePolicyResponse:
        """Give what is in force for an agent."""
        ident = parse("agents", request.agent, "agent")
        found = await self._readers.read(partial(_effective, agent=ident))
        return policies_pb2.GetEffectivePolicyResponse(policy=found)


def _policy(found: Policy) -> policies_pb2.Policy:
    return policies_pb2.Policy(
        name=f"policies/{found.id}",
        description=found.description,
        version=found.version,
        newest_version=found.newest_version,
        agents=found.agents,
        built_in=found.built_in,
        create_time=stamp(found.create_time),
        update_time=stamp(found.update_time),
    )


def _policy_whole(connection: Connection, ident: str) -> policies_pb2.GetPolicyResponse:
    found = policy_in(connection, ident)
    version = store.in_force(connection, ident)
    shown = _version(connection, version, whole=True) if version else None
    return policies_pb2.GetPolicyResponse(policy=_policy(found), version=shown)


def _version(connection: Connection, found: Version, *, whole: bool) -> policies_pb2.PolicyVersion:
    loaded, sandboxes = store.spread(connection, found.policy, found.version)
    return policies_pb2.PolicyVersion(
        policy=f"policies/{found.policy}",
        version=found.version,
        state=found.state,  # type: ignore[arg-type] # the store keeps the enum's number
        detail=found.detail,
        document=found.document if whole else "",
        digest=found.digest,
        caller=found.caller,
        create_time=stamp(found.create_time),
        loaded=loaded,
        sandboxes=sandboxes,
        needs_new_sandbox=found.needs_new_sandbox,
    )


def _preview(wanted: Application) -> policies_pb2.PolicyVersion:
    return policies_pb2.PolicyVersion(policy=f"policies/{wanted.policy}", document=wanted.draft.document)


def _versions(connection: Connection, policy: str, before: int | None, limit: int) -> list[policies_pb2.PolicyVersion]:
    policy_in(connection, policy)
    found = store.version_page(connection, policy=policy, before=before, limit=limit)
    return [_version(connection, version, whole=False) for version in found]


def _one_version(connection: Connection, policy: str, number: int) -> policies_pb2.PolicyVersion:
    newest = policy_in(connection, policy).newest_version
    found = store.version(connection, policy, number)
    if found is None:
        message = f"policies/{policy} has no version {number}; its newest is {newest}"
        raise NotFound("POLICY_NOT_FOUND", message, hint=f"signet policy show {policy}")
    return _version(connection, found, whole=True)


def _effective(connection: Connection, agent: str) -> policies_pb2.EffectivePolicy:
    agent_in(connection, agent)
    found = effective.of(connection, agent, now_micros())
    if found is None:
        raise effective.nothing(agent)
    return found.message()
