"""Policies: versions, what is in force, and how it reaches sandboxes that are open."""

import asyncio
from pathlib import Path
from typing import Any

from signet.kit.auth import verify_run_token
from signet.kit.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from signet.kit.times import now_micros
from signet.v1 import agents_pb2, policies_pb2, runs_pb2, sandboxes_pb2
from signet.work.v1 import work_pb2
from tests.integration.control.fleet import Fleet, called, eventually, refused, running, told
from tests.integration.control.process import start

PENDING, LOADED = policies_pb2.POLICY_STATE_PENDING, policies_pb2.POLICY_STATE_LOADED
FAILED, SUPERSEDED = policies_pb2.POLICY_STATE_FAILED, policies_pb2.POLICY_STATE_SUPERSEDED
NARROW = "version: 1\ndescription: Narrow\n"
WIDE = "version: 1\ndescription: Wide\nnetwork:\n  api: {endpoints: [{host: api.example.org}]}\n"
STRICT = "version: 1\ndescription: Strict\ntier: strict\nresources: {wall: 30s}\n"
LENDING = (
    "version: 1\nsecrets:\n  one: {secret: github-token, env: GITHUB_TOKEN, host: api.github.com}\n"
    "network:\n  github: {endpoints: [{host: api.github.com}]}\n"
)
BAD = "version: 1\nnetwrk: {}\nnetwork:\n  api: {endpoints: [{host: api.example.org, port: 99999}]}\n"


async def apply(
    fleet: Fleet, document: str, name: str = "policies/default", **fields: Any
) -> policies_pb2.ApplyPolicyResponse:
    request = policies_pb2.ApplyPolicyRequest(name=name, document=document, **fields)
    answer: policies_pb2.ApplyPolicyResponse = await fleet.operator.policies.ApplyPolicy(request)
    return answer


async def shown(fleet: Fleet, name: str = "policies/default") -> policies_pb2.GetPolicyResponse:
    answer: policies_pb2.GetPolicyResponse = await fleet.operator.policies.GetPolicy(
        policies_pb2.GetPolicyRequest(name=name)
    )
    return answer


async def version(fleet: Fleet, number: int, name: str = "policies/default") -> policies_pb2.PolicyVersion:
    request = policies_pb2.GetPolicyVersionRequest(policy=name, version=number)
    found: policies_pb2.PolicyVersion = (await fleet.operator.policies.GetPolicyVersion(request)).version
    return found


async def effective(fleet: Fleet, agent: str = "agents/assistant") -> policies_pb2.EffectivePolicy:
    request = policies_pb2.GetEffectivePolicyRequest(agent=agent)
    found: policies_pb2.EffectivePolicy = (await fleet.operator.policies.GetEffectivePolicy(request)).policy
    return found


def box(number: int, policy: policies_pb2.EffectivePolicy, **fields: Any) -> sandboxes_pb2.Sandbox:
    """Make a sandbox of the assistant as its worker reports it, with a policy loaded."""
    loaded: dict[str, Any] = {"policy": policy.policy, "policy_version": policy.version, "policy_digest": policy.digest}
    return sandboxes_pb2.Sandbox(
        name=f"sandboxes/one.assistant-{number}", agent="agents/assistant", **(loaded | fields)
    )


async def use(fleet: Fleet, policy: str) -> agents_pb2.Agent:
    """Give the assistant another policy."""
    agent = agents_pb2.Agent(name="agents/assistant", policy=policy)
    request = agents_pb2.UpdateAgentRequest(agent=agent, update_mask={"paths": ["policy"]})
    changed: agents_pb2.Agent = (await fleet.operator.agents.UpdateAgent(request)).agent
    return changed


async def test_every_fleet_begins_with_policies_and_the_assistant_has_the_default(fleet: Fleet) -> None:
    found = (await fleet.operator.policies.ListPolicies(policies_pb2.ListPoliciesRequest())).policies
    assert {"policies/default", "policies/strict"} <= {policy.name for policy in found}
    default = next(policy for policy in found if policy.name == "policies/default")
    assert (default.version, default.newest_version, default.agents, default.built_in) == (1, 1, 1, True)
    assert default.description
    agent = (await fleet.operator.agents.GetAgent(agents_pb2.GetAgentRequest(name="agents/assistant"))).agent
    assert agent.policy == "policies/default"
    policy = await effective(fleet)
    assert (policy.policy, policy.version, list(policy.grants)) == ("policies/default", 1, [])
    assert policy.document.startswith("{")


async def test_a_good_document_is_in_force_and_the_older_one_is_superseded(fleet: Fleet) -> None:
    before = await effective(fleet)
    answer = await apply(fleet, WIDE, expected_version=1)
    assert (answer.version.version, answer.version.state, answer.version.caller) == (2, LOADED, "tokens/operator")
    assert any("network.api" in line for line in answer.changes)
    assert not answer.version.needs_new_sandbox
    found = await shown(fleet)
    assert (found.policy.version, found.policy.newest_version, found.policy.built_in) == (2, 2, False)
    assert (found.policy.description, found.version.document) == ("Wide", WIDE)
    assert (await version(fleet, 1)).state == SUPERSEDED
    after = await effective(fleet)
    assert "api.example.org" in after.document
    assert after.digest != before.digest


async def test_the_same_document_again_is_no_new_version(fleet: Fleet) -> None:
    first = await apply(fleet, WIDE)
    assert (await apply(fleet, WIDE)).version == first.version
    assert (await apply(fleet, NARROW)).version.version == 3
    assert (await apply(fleet, WIDE)).version.version == 4


async def test_a_bad_document_is_kept_as_failed_and_the_last_good_one_stays(fleet: Fleet) -> None:
    await apply(fleet, WIDE)
    before = await effective(fleet)
    error = await refused(fleet.operator.policies.ApplyPolicy(
        policies_pb2.ApplyPolicyRequest(name="policies/default", document=BAD)
    ))  # fmt: skip
    assert isinstance(error, InvalidArgument)
    assert error.reason == "POLICY_INVALID"
    assert [violation.field for violation in error.violations] == ["document:2", "document:4"]
    assert "netwrk" in error.violations[0].description
    found = await shown(fleet)
    assert (found.policy.version, found.policy.newest_version) == (2, 3)
    assert found.version.version == 2
    failed = await version(fleet, 3)
    assert (failed.state, failed.document) == (FAILED, BAD)
    assert "netwrk" in failed.detail
    assert (await effective(fleet)) == before
    assert (await apply(fleet, NARROW, expected_version=2)).version.version == 4


async def test_a_dry_run_says_what_would_change_and_keeps_nothing(fleet: Fleet) -> None:
    answer = await apply(fleet, STRICT, dry_run=True)
    assert answer.version.version == 0
    assert any("tier" in line for line in answer.changes)
    error = await refused(fleet.operator.policies.ApplyPolicy(
        policies_pb2.ApplyPolicyRequest(name="policies/new", document=BAD, dry_run=True)
    ))  # fmt: skip
    assert error.reason == "POLICY_INVALID"
    assert (await shown(fleet)).policy.newest_version == 1
    assert isinstance(await refused(fleet.operator.policies.GetPolicy(
        policies_pb2.GetPolicyRequest(name="policies/new"))), NotFound)  # fmt: skip


async def test_whoever_was_slower_is_told(fleet: Fleet) -> None:
    await apply(fleet, WIDE, expected_version=1)
    for dry_run in (False, True):
        request = policies_pb2.ApplyPolicyRequest(
            name="policies/default", document=NARROW, expected_version=1, dry_run=dry_run
        )
        error = await refused(fleet.operator.policies.ApplyPolicy(request))
        assert isinstance(error, Aborted)
        assert "version 2" in error.message
    assert (await shown(fleet)).version.document == WIDE


async def test_a_document_too_large_is_refused(fleet: Fleet) -> None:
    request = policies_pb2.ApplyPolicyRequest(name="policies/default", document="#" * (256 * 1024 + 1))
    assert isinstance(await refused(fleet.operator.policies.ApplyPolicy(request)), ResourceExhausted)


async def test_a_policy_that_agents_name_and_one_that_comes_with_signet_stay(fleet: Fleet) -> None:
    await apply(fleet, WIDE, "policies/mine")
    await use(fleet, "policies/mine")
    delete = fleet.operator.policies.DeletePolicy
    error = await refused(delete(policies_pb2.DeletePolicyRequest(name="policies/mine")))
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "POLICY_IN_USE"
    assert "agents/assistant" in error.message
    await use(fleet, "policies/default")
    await delete(policies_pb2.DeletePolicyRequest(name="policies/mine"))
    error = await refused(delete(policies_pb2.DeletePolicyRequest(name="policies/mine")))
    assert isinstance(error, NotFound)
    error = await refused(delete(policies_pb2.DeletePolicyRequest(name="policies/default")))
    assert error.reason == "BUILT_IN"


async def test_an_agent_can_only_name_a_policy_that_is_there(fleet: Fleet) -> None:
    agent = agents_pb2.Agent(name="agents/other", policy="policies/defalt")
    error = await refused(fleet.operator.agents.CreateAgent(agents_pb2.CreateAgentRequest(agent=agent)))
    assert isinstance(error, NotFound)
    assert error.reason == "POLICY_NOT_FOUND"
    assert "default" in error.message
    agent.policy = "default"
    error = await refused(fleet.operator.agents.CreateAgent(agents_pb2.CreateAgentRequest(agent=agent)))
    assert isinstance(error, InvalidArgument)


async def test_an_agent_comes_back_only_with_a_policy_that_is_there(fleet: Fleet) -> None:
    await apply(fleet, WIDE, "policies/mine")
    await use(fleet, "policies/mine")
    name = "agents/assistant"
    await fleet.operator.agents.DeleteAgent(agents_pb2.DeleteAgentRequest(name=name))
    await fleet.operator.policies.DeletePolicy(policies_pb2.DeletePolicyRequest(name="policies/mine"))
    undelete = agents_pb2.UndeleteAgentRequest(name=name)
    error = await refused(fleet.operator.agents.UndeleteAgent(undelete))
    assert isinstance(error, NotFound)
    assert error.reason == "POLICY_NOT_FOUND"
    await apply(fleet, NARROW, "policies/mine")
    assert (await fleet.operator.agents.UndeleteAgent(undelete)).agent.policy == "policies/mine"


async def test_versions_are_listed_newest_first_a_page_at_a_time(fleet: Fleet) -> None:
    for document in (WIDE, NARROW, WIDE):
        await apply(fleet, document)
    request = policies_pb2.ListPolicyVersionsRequest(policy="policies/default", page_size=3)
    first = await fleet.operator.policies.ListPolicyVersions(request)
    assert [found.version for found in first.versions] == [4, 3, 2]
    assert not first.versions[0].document
    request.page_token = first.next_page_token
    second = await fleet.operator.policies.ListPolicyVersions(request)
    assert [found.version for found in second.versions] == [1]
    assert not second.next_page_token


async def test_a_policy_in_force_is_pushed_and_loaded_when_every_sandbox_has_it(fleet: Fleet) -> None:
    await fleet.register()
    old = await effective(fleet)
    assert await fleet.report(box(1, old), box(2, old)) == []
    directives = fleet.directives()
    applied = (await apply(fleet, WIDE)).version
    assert (applied.state, applied.loaded, applied.sandboxes) == (PENDING, 0, 2)
    order = (await told(directives, "load_policy")).load_policy
    assert (order.policy.agent, order.policy.version) == ("agents/assistant", 2)
    assert "api.example.org" in order.policy.document
    new = order.policy
    assert [lacking.policy.digest for lacking in await fleet.report(box(1, new), box(2, old))] == [new.digest]
    half = await version(fleet, 2)
    assert (half.state, half.loaded, half.sandboxes) == (PENDING, 1, 2)
    assert await fleet.report(box(1, new), box(2, new)) == []
    assert (await version(fleet, 2)).state == LOADED


async def test_what_was_told_is_told_again_until_it_is_done(fleet: Fleet) -> None:
    """Orders are read from the tables: a worker that was away, or lost an order, has it again."""
    await fleet.register()
    await fleet.report(box(1, await effective(fleet)))
    await apply(fleet, WIDE)
    for _ in range(2):
        assert (await told(fleet.directives(), "load_policy")).load_policy.policy.version == 2
        request = work_pb2.RenewLeasesRequest(worker="workers/one", incarnation="first", sandboxes=1)
        answer = await fleet.worker.work.RenewLeases(request)
        assert [found.load_policy.policy.version for found in answer.directives if found.HasField("load_policy")] == [2]


async def test_a_version_that_a_sandbox_cannot_load_is_failed_and_the_last_good_one_is_back(fleet: Fleet) -> None:
    await fleet.register()
    old = await effective(fleet)
    await fleet.report(box(1, old), box(2, old))
    directives = fleet.directives()
    await apply(fleet, WIDE)
    new = (await told(directives, "load_policy")).load_policy.policy
    bad = box(2, old, policy_problem="its egress refused it", policy_problem_version=2)
    await fleet.report(box(1, new), bad)
    failed = await version(fleet, 2)
    assert failed.state == FAILED
    assert "sandboxes/one.assistant-2" in failed.detail
    assert "its egress refused it" in failed.detail
    assert (await shown(fleet)).policy.version == 1
    assert (await told(directives, "load_policy")).load_policy.policy.digest == old.digest
    assert (await version(fleet, 1)).state == PENDING
    await fleet.report(box(1, old), bad)
    assert (await version(fleet, 1)).state == LOADED


async def test_a_problem_of_an_older_version_does_not_fail_a_newer_one(fleet: Fleet) -> None:
    await fleet.register()
    old = await effective(fleet)
    await fleet.report(box(1, old))
    await apply(fleet, WIDE)
    await apply(fleet, NARROW)
    await fleet.report(box(1, old, policy_problem="too late", policy_problem_version=2))
    assert (await version(fleet, 3)).state == PENDING
    assert (await shown(fleet)).policy.version == 3


async def test_another_policy_of_the_agent_reaches_its_sandboxes(fleet: Fleet) -> None:
    await fleet.register()
    await fleet.report(box(1, await effective(fleet)))
    await apply(fleet, WIDE, "policies/mine")
    directives = fleet.directives()
    await use(fleet, "policies/mine")
    assert (await told(directives, "load_policy")).load_policy.policy.policy == "policies/mine"


async def test_what_is_static_says_that_a_new_sandbox_is_needed(fleet: Fleet) -> None:
    applied = (await apply(fleet, STRICT)).version
    assert applied.needs_new_sandbox
    assert "tier" in applied.detail


async def test_an_assignment_carries_what_is_in_force_and_the_run_is_bounded_by_it(fleet: Fleet) -> None:
    await apply(fleet, STRICT)
    await fleet.register()
    claim = await fleet.taken()
    assert claim.policy.policy == await effective(fleet)
    assert claim.policy.secrets_token == ""
    assert claim.limits.max_seconds == 30
    assert [event.WhichOneof("kind") for event in await fleet.events(claim.run.name, replay_only=True)] == [
        "created",
        "claimed",
    ]


async def test_secrets_can_be_borrowed_by_the_names_that_the_policy_lends(fleet: Fleet) -> None:
    await apply(fleet, LENDING)
    await fleet.register()
    claim = await fleet.taken()
    claims = verify_run_token(fleet.home.key("run.key"), claim.policy.secrets_token, now_micros() / 1e6)
    assert (claims.secrets, claims.agent, claims.models, claims.run) == (
        ("github-token",),
        "agents/assistant",
        (),
        claim.run.name,
    )
    run = verify_run_token(fleet.home.key("run.key"), claim.run_token, now_micros() / 1e6)
    assert run.secrets == ()
    assert (claims.user, claims.generation, claims.expires) == ("tokens/operator", run.generation, run.expires)


async def test_the_apis_of_the_policy_are_in_the_runs_token_and_in_that_of_its_sidecars(fleet: Fleet) -> None:
    await apply(fleet, "version: 1\napis: [weather, search]\n")
    await fleet.register()
    claim = await fleet.taken()
    key, now = fleet.home.key("run.key"), now_micros() / 1e6
    run, sidecars = (verify_run_token(key, token, now) for token in (claim.run_token, claim.policy.secrets_token))
    assert run.apis == sidecars.apis == ("search", "weather")
    assert run.run == sidecars.run == claim.run.name
    assert sidecars.secrets == sidecars.models == ()
    directives = fleet.directives()
    await fleet.report(box(1, claim.policy.policy))
    await apply(fleet, "version: 1\napis: [search]\n")
    order = (await told(directives, "load_policy")).load_policy
    assert verify_run_token(key, order.secrets_token, now).apis == ("search",)


async def test_the_stamp_has_the_policy_and_what_differs_at_the_claim_is_an_event(fleet: Fleet) -> None:
    await fleet.register()
    before = await fleet.run()
    again = await fleet.run()
    await apply(fleet, WIDE)
    after = await fleet.run()
    assert before.stamp.permissions == again.stamp.permissions
    assert before.stamp.permissions != after.stamp.permissions
    claim = await fleet.claim()
    assert claim is not None
    assert claim.run.name == before.name
    events = await fleet.events(claim.run.name, replay_only=True)
    assert [event.WhichOneof("kind") for event in events] == ["created", "claimed", "policy_loaded"]
    assert (events[2].policy_loaded.version, events[2].policy_loaded.digest) == (2, (await effective(fleet)).digest)
    assert claim.next_sequence == 4
    await fleet.finish(claim.lease)


async def test_an_agent_whose_policy_was_never_good_may_do_nothing(fleet: Fleet) -> None:
    await fleet.register()
    waiting = await fleet.run()
    request = policies_pb2.ApplyPolicyRequest(name="policies/mine", document=BAD)
    await refused(fleet.operator.policies.ApplyPolicy(request))
    found = await shown(fleet, "policies/mine")
    assert (found.policy.version, found.policy.newest_version, found.HasField("version")) == (0, 1, False)
    await use(fleet, "policies/mine")
    create = runs_pb2.CreateRunRequest(agent="agents/assistant", input="x")
    look = policies_pb2.GetEffectivePolicyRequest(agent="agents/assistant")
    for call in (fleet.operator.runs.CreateRun(create), fleet.operator.policies.GetEffectivePolicy(look)):
        error = await refused(call)
        assert isinstance(error, FailedPrecondition)
        assert error.reason == "POLICY_INVALID"
    assert await fleet.claim() is None
    run = await fleet.get(waiting.name)
    assert (run.state, run.error.reason) == (runs_pb2.RUN_STATE_FAILED, "SANDBOX_FAILED")
    assert "policy" in run.error.message


async def test_an_applied_policy_survives_a_kill_and_what_comes_with_signet_is_not_put_over_it(
    tmp_path: Path,
) -> None:
    control = await start(tmp_path / "home", "port=0")
    async with called(tmp_path / "home") as fleet:
        await apply(fleet, WIDE)
    await control.kill()
    control = await start(tmp_path / "home", "port=0")
    try:
        async with called(tmp_path / "home") as fleet:
            found = await shown(fleet)
            assert (found.version.document, found.policy.version, found.policy.built_in) == (WIDE, 2, False)
    finally:
        assert await control.end() == 0


async def test_a_lost_worker_no_longer_keeps_a_version_pending(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=2) as fleet:
        await fleet.register()
        await fleet.report(box(1, await effective(fleet)))
        await apply(fleet, WIDE)
        assert (await version(fleet, 2)).state == PENDING

        async def loaded() -> bool:
            return (await version(fleet, 2)).state == LOADED

        await eventually(loaded)


async def test_many_changes_end_with_the_last(fleet: Fleet) -> None:
    """Orders may be left out on the way, never the last of them."""
    await fleet.register()
    await fleet.report(box(1, await effective(fleet)))
    directives = fleet.directives()
    documents = [f"version: 1\ndescription: Number {number}\n" for number in range(20)]
    await asyncio.gather(*(apply(fleet, document) for document in documents))
    newest = await effective(fleet)
    async with asyncio.timeout(20):
        while (await told(directives, "load_policy")).load_policy.policy.digest != newest.digest:
            pass
