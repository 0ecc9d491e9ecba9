"""Policies, approvals, grants, sandboxes and secrets reach their services, and commands have their streams."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from signet.client import AsyncSignet, Signet
from signet.kit.errors import FailedPrecondition, InvalidArgument, NotFound
from signet.v1 import approvals_pb2, policies_pb2
from tests.fakes.boundary import DOCUMENT, WIDER
from tests.fakes.control import State
from tests.fakes.hosted import Hosted

inside = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(state: State, tmp_path: Path) -> Path:
    state.boundary.folder = tmp_path / "workspace"
    state.boundary.folder.mkdir()
    return state.boundary.folder


async def test_a_policy_is_applied_in_versions_and_undone(signet: AsyncSignet, state: State) -> None:
    made = await signet.policies.apply("scout", DOCUMENT)
    assert (made.version.policy, made.version.version) == ("policies/scout", 1)
    assert (await signet.policies.apply("scout", WIDER, dry_run=True)).version.version == 0
    await signet.policies.apply("scout", WIDER, expected_version=1)

    assert [one.version async for one in signet.policies.versions("scout", page_size=1)] == [2, 1]
    assert (await signet.policies.undo("scout")).version.document == DOCUMENT
    assert state.asked(policies_pb2.ApplyPolicyRequest)[-1].expected_version == 2
    assert (await signet.policies.get("scout")).policy.version == 3
    assert (await signet.policies.version("scout", 2)).document == WIDER
    assert (await signet.policies.effective("assistant")).policy == "policies/default"
    await signet.policies.delete("scout")
    with pytest.raises(NotFound):
        await signet.policies.get("scout")


async def test_a_first_version_has_nothing_to_go_back_to(signet: AsyncSignet) -> None:
    with pytest.raises(FailedPrecondition, match="no good version"):
        await signet.policies.undo("default")


async def test_a_document_too_long_is_refused_before_it_is_sent(signet: AsyncSignet, state: State) -> None:
    with pytest.raises(InvalidArgument, match="at most 256 KiB"):
        await signet.policies.apply("scout", "#" * 300_000)
    assert not state.asked(policies_pb2.ApplyPolicyRequest)


async def test_an_answer_makes_a_grant_that_can_be_revoked(signet: AsyncSignet, state: State) -> None:
    name = state.boundary.ask()

    approved = await signet.approvals.approve(name, scope="agent", hold_seconds=7200)

    (request,) = state.asked(approvals_pb2.AnswerApprovalRequest)
    assert (request.scope, request.hold_seconds) == (policies_pb2.GRANT_SCOPE_AGENT, 7200)
    assert [one.name async for one in signet.grants.list(agent="assistant")] == [approved.grant]
    await signet.grants.revoke(approved.grant)
    assert [one async for one in signet.grants.list()] == []
    assert len([one async for one in signet.grants.list(show_ended=True)]) == 1
    with pytest.raises(FailedPrecondition):
        await signet.approvals.deny(name)
    with pytest.raises(InvalidArgument, match="scope"):
        await signet.approvals.approve(name, scope="world")
    with pytest.raises(InvalidArgument, match="states"):
        signet.approvals.list(states=["open"])


async def test_whoever_watches_sees_what_waits_and_then_what_becomes_of_it(signet: AsyncSignet, state: State) -> None:
    name = state.boundary.ask()
    async with aclosing(signet.approvals.watch()) as watching:
        assert (await anext(watching)).name == name
        second = state.boundary.ask(command="rm -rf build")
        assert (await anext(watching)).name == second
        await signet.approvals.deny(name)
        assert (await anext(watching)).state == approvals_pb2.APPROVAL_STATE_DENIED


async def test_what_was_answered_while_nobody_was_reached_is_told_too(signet: AsyncSignet, state: State) -> None:
    name = state.boundary.ask()
    async with aclosing(signet.approvals.watch()) as watching:
        await anext(watching)
        state.boundary.approvals[name].state = approvals_pb2.APPROVAL_STATE_DENIED
        state.boundary.close()
        found = await anext(watching)
        assert (found.name, found.state) == (name, approvals_pb2.APPROVAL_STATE_DENIED)
        second = state.boundary.ask("b.example.org")
        assert (await anext(watching)).name == second  # once, and not the first again


async def test_a_secret_goes_in_and_never_comes_out(signet: AsyncSignet, state: State) -> None:
    made = await signet.secrets.put("github-token", "hush", owner="assistant")

    assert "hush" not in str(made)
    assert state.boundary.secrets["secrets/github-token"][1] == "hush"
    assert [one.owner async for one in signet.secrets.list()] == ["agents/assistant"]
    await signet.secrets.delete("github-token")
    with pytest.raises(NotFound):
        await signet.secrets.delete("github-token")


@inside
async def test_a_command_has_its_streams_and_its_exit_code(signet: AsyncSignet) -> None:
    script = 'cat; echo "$WORD" >&2; exit 7'

    done = await signet.sandboxes.run("assistant", ["sh", "-c", script], stdin=b"in\n", env={"WORD": "err"})

    assert (done.code, done.stdout, done.stderr) == (7, b"in\n", b"err\n")
    assert done.sandbox == "sandboxes/local.assistant-1"
    with pytest.raises(NotFound, match="no program"):
        await signet.sandboxes.run("assistant", ["no-such-program"])
    with pytest.raises(NotFound, match="no agent"):
        await signet.sandboxes.run("nobody", ["true"])


@inside
async def test_input_and_output_are_as_long_as_they_like(signet: AsyncSignet) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield bytes(100_000)

    done = await signet.sandboxes.run("assistant", ["wc", "-c"], stdin=chunks())

    assert done.stdout.strip() == b"3200000"


@inside
async def test_a_source_that_fails_ends_the_command_with_its_own_error(signet: AsyncSignet) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("no more paper")

    with pytest.raises(ValueError, match="no more paper"):
        await signet.sandboxes.run("assistant", ["cat"], stdin=chunks())


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_leaving_a_command_kills_it(signet: AsyncSignet, folder: Path) -> None:
    async with signet.sandboxes.open("assistant", ["sh", "-c", "echo $$ > pid; echo on; sleep 1000"]) as process:
        async for piece in process.pieces():
            assert piece.data == b"on\n"
            break
    pid = int((folder / "pid").read_text())
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110 - a process of the system tells nobody of its end
            await asyncio.sleep(0.01)


@inside
async def test_a_command_is_told_sizes_and_signals(signet: AsyncSignet, state: State) -> None:
    script = "trap 'echo got; exit 3' INT; echo on; while :; do sleep 0.05; done"
    heard = b""
    async with signet.sandboxes.open("assistant", ["sh", "-c", script], terminal=(24, 80)) as process:
        async for piece in process.pieces():
            if piece.data == b"on\r\n":  # as a terminal writes it
                await process.resize(50, 132)
                await process.signal(2)
            heard += piece.data
    assert heard == b"on\r\ngot\r\n"
    assert process.exit is not None
    assert process.exit.code == 3
    assert state.boundary.sizes == [(24, 80), (50, 132)]


async def test_folders_go_out_and_in_as_tar(signet: AsyncSignet, folder: Path) -> None:
    (folder / "notes.txt").write_text("kept")
    body = b"".join([piece async for piece in signet.sandboxes.pack("assistant", "notes.txt")])
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert tar.getnames() == ["notes.txt"]
    (folder / "deep").mkdir()

    await signet.sandboxes.unpack("assistant", "deep", body)

    assert (folder / "deep" / "notes.txt").read_text() == "kept"
    with pytest.raises(NotFound, match="No such file"):
        async for _ in signet.sandboxes.pack("assistant", "nothing"):
            pass


async def test_a_sandbox_is_shown_logged_and_stopped(signet: AsyncSignet) -> None:
    (found,) = [one async for one in signet.sandboxes.list(agent="assistant")]
    assert (await signet.sandboxes.get(found.name)).tier == "standard"
    lines = [line.text async for line in signet.sandboxes.logs(found.name)]
    assert lines == ["opened in 12 ms", "deny api.example.org:443 by default"]
    await signet.sandboxes.stop(found.name)
    with pytest.raises(NotFound):
        await signet.sandboxes.get(found.name)


def test_scripts_have_the_same_without_an_event_loop(hosted: Hosted, tmp_path: Path) -> None:
    hosted.state.boundary.folder = tmp_path
    with Signet(data=str(hosted.home.root)) as signet:
        assert signet.policies.apply("scout", DOCUMENT).version.version == 1
        assert signet.sandboxes.run("assistant", ["echo", "hi"]).stdout == b"hi\n"
        assert [line.event for line in signet.sandboxes.logs("local.assistant-1")] == ["egress", "egress"]
        body = list(signet.sandboxes.pack("assistant", "data"))
        assert body
        assert [one.name for one in signet.secrets.list()] == []
        assert [one.name for one in signet.approvals.list()] == []
