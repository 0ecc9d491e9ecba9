"""What control orders, read into what a sandbox is opened as and whom a grant reaches."""

from pathlib import Path

import pytest

from signet.policy.canonical import dump, load
from signet.policy.model import Policy
from signet.v1 import policies_pb2
from signet.work.v1 import work_pb2
from tests.fakes.work import grant, order
from workers.policies import permissions, spec
from workers.sandbox.spec import Spec

COMMAND = policies_pb2.Ask(command=policies_pb2.CommandAsk(command="ls"))
NETWORK = policies_pb2.Ask(network=policies_pb2.NetworkAsk(host="a.test", port=443))


def shaped(text: str) -> Spec:
    return spec(
        permissions(order(text)).policy,
        name="scribe-1",
        workspace=Path("/w"),
        uid=200_001,
        listeners={"egress": ("127.0.0.1", 3128)},
        env={"A": "b"},
        files={"/etc/signet/ca.pem": Path("/ca.pem")},
    )


def test_an_order_without_a_policy_lets_nothing_through() -> None:
    held = permissions(work_pb2.PolicyOrder(), "scribe")
    assert (held.agent, held.policy.network.blocks, held.grants) == ("scribe", (), ())
    assert load(held.document) == held.policy == Policy()


def test_a_document_that_is_none_is_refused_with_what_is_wrong() -> None:
    bad = order("")
    bad.policy.document = '{"version":1,"networks":{}}'
    with pytest.raises(ValueError, match="networks"):
        permissions(bad)


def test_an_order_that_is_written_again_is_the_same() -> None:
    held = permissions(order("tier: strict\n", grant(COMMAND), secrets_token="sgr_x"))
    assert permissions(held.order()) == held


def test_the_token_is_in_no_text_of_it() -> None:
    assert "sgr_x" not in repr(permissions(order("", secrets_token="sgr_x")))


def test_what_can_change_in_an_open_sandbox_is_not_static() -> None:
    base = permissions(order("")).static
    assert permissions(order("commands: {default: deny}\napprovals: {network: ask}\n")).static == base
    for changed in (
        "tier: strict",
        "filesystem: {workspace: off}",
        "resources: {memory: 1GiB}",
        "process: {open_files: 200}",
    ):
        assert permissions(order(f"{changed}\n")).static != base


def test_a_grant_reaches_its_run_its_session_or_the_agent() -> None:
    grants = [grant(COMMAND, "runs/1"), grant(NETWORK, "sessions/s"), grant(COMMAND)]
    held = permissions(order("", *grants))
    names = [one.name for one in grants]
    assert [one.name for one in held.applying("runs/1", "sessions/s")] == names
    assert [one.name for one in held.applying("runs/2", "sessions/s")] == names[1:]
    assert [one.name for one in held.applying("runs/2", "sessions/t")] == names[2:]
    assert [one.name for one in held.applying("runs/2", "")] == names[2:]
    assert [one.name for one in held.applying()] == names[2:]


def test_a_grant_without_a_scope_or_a_subject_reaches_nobody() -> None:
    odd = [grant(COMMAND, "runs/1"), grant(COMMAND, "sessions/s"), grant(COMMAND)]
    odd[0].subject = odd[1].subject = ""
    odd[2].scope = policies_pb2.GRANT_SCOPE_UNSPECIFIED
    assert permissions(order("", *odd)).applying("", "") == ()


def test_a_grant_ends_when_it_says() -> None:
    ends = grant(NETWORK)
    ends.expire_time.FromSeconds(1000)
    [view] = permissions(order("", ends)).applying()
    assert (view.kind, view.host, view.port, view.expires) == ("network", "a.test", 443, 1000.0)
    assert view.holds(999)
    assert not view.holds(1000)


def test_every_part_of_a_policy_shapes_its_sandbox() -> None:
    made = shaped(
        "tier: strict\nlandlock: best_effort\n"
        "filesystem: {workspace: read-only, read_only: [/opt/data], read_write: [/srv/shared]}\n"
        "process: {open_files: 300, file_bytes: 1MiB}\n"
        "resources: {memory: 1GiB, cpu: 1.5, pids: 99, disk: 3GiB, tmp: 64MiB}\n"
    )
    limits = made.limits
    assert (made.tier, made.workspace_mode, made.best_effort) == ("strict", "read-only", frozenset({"landlock"}))
    assert (made.read_only, made.read_write) == ((Path("/opt/data"),), (Path("/srv/shared"),))
    assert (limits.open_files, limits.file_bytes, limits.processes) == (300, 1 << 20, 99)
    assert (limits.memory_bytes, limits.cpu, limits.disk_bytes, limits.tmp_bytes) == (1 << 30, 1.5, 3 << 30, 64 << 20)
    assert (made.listeners, made.env) == ({"egress": ("127.0.0.1", 3128)}, {"A": "b"})


def test_a_policy_says_nothing_less_than_every_layer_by_default() -> None:
    made = shaped("")
    assert (made.tier, made.workspace_mode, made.best_effort, made.read_only) == (
        "standard",
        "read-write",
        frozenset(),
        (),
    )


def test_the_canonical_form_is_what_is_passed_on() -> None:
    asked = order("")
    assert permissions(asked).document == asked.policy.document == dump(permissions(asked).policy)
