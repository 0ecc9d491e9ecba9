"""The CLI and the scripts of examples/ against a fleet of real programs."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import pytest

from tests.fakes.provider import FakeProvider
from tests.harness.command import Done, signet
from tests.harness.fleet import Fleet
from tests.integration.cli.conftest import ROOT, Cli
from tests.integration.cli.terminal import Terminal
from tests.unit.cli.test_nouns import SHAPES


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as fake:
        yield fake


@pytest.fixture
async def running(provider: FakeProvider) -> AsyncIterator[Fleet]:
    async with Fleet(provider=provider.base_url, model="fake-small") as fleet:
        yield fleet


async def said(fleet: Fleet, *words: str) -> Done:
    return await signet("--data", str(fleet.home.root), *words)


async def test_every_list_has_its_shape_and_refuses_what_is_another_lists(running: Fleet) -> None:
    for noun, shape in SHAPES.items():
        done = await said(running, noun, "list", "-o", "json")
        assert done.code == 0, done.err
        assert all(set(row) == shape for row in json.loads(done.out)), noun

    for index in range(2):
        assert (await said(running, "run", "assistant", f"number {index}")).out == f"You said: number {index}\n"
    token = (await said(running, "runs", "list", "--limit", "1", "-o", "name")).err.split()[-1]
    other = await said(running, "runs", "list", "--agent", "assistant", "--page-token", token)
    assert other.code == 2
    assert "another list" in other.err


@pytest.mark.parametrize(("script", "says"), [("hello.py", "SUCCEEDED"), ("hello_async.py", "under the stamp")])
async def test_the_scripts_run_an_agent(running: Fleet, script: str, says: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / script),
        stdout=asyncio.subprocess.PIPE,
        env=Cli(running.home.root).environment,
    )
    out, _ = await process.communicate()

    assert process.returncode == 0
    assert says in out.decode()


async def test_ctrl_c_in_the_middle_of_a_command_ends_it_and_the_talk_goes_on(running: Fleet) -> None:
    cli = Cli(running.home.root)
    await asyncio.to_thread(_interrupt_a_command, cli)

    runs = [run async for run in running.client.runs.list()]
    assert [run.error.reason for run in runs] == ["", "CANCELLED"]


def _interrupt_a_command(cli: Cli) -> None:
    with Terminal(cli.argv("chat", "assistant"), cli.environment, str(ROOT)) as chat:
        chat.wait_for("▸ ")
        chat.type('CALL exec {"command": "echo begun; sleep 600"}\r')
        chat.wait_for("│ begun")
        chat.type("\x03")
        chat.wait_for("■ stopped")
        chat.wait_for("▸ ")
        chat.type("still there?\r")
        chat.wait_for("You said: still there?", seconds=60)
        chat.wait_for("▸ ")
        chat.type("\x04")
        assert chat.process.wait(20) == 0


READER = """\
version: 1
network:
  site:
    endpoints:
      - {host: api.example.org, access: read-only}
    binaries: [/usr/bin/curl]
commands: {deny: ["rm *"]}
"""


async def test_a_policy_is_applied_asked_and_undone(running: Fleet) -> None:
    path = running.folder / "reader.yaml"
    path.write_text(READER)
    applied = await said(running, "policy", "apply", "default", str(path))
    assert applied.code == 0, applied.err
    assert "+ network.site" in applied.out
    url = "https://api.example.org/x"
    assert (await said(running, "policy", "test", url, "--binary", "/usr/bin/curl")).code == 0
    refused = await said(running, "policy", "test", "assistant", url, "--method", "POST", "--binary", "/usr/bin/curl")
    assert (refused.code, "no rule lets POST" in refused.out) == (7, True)
    assert (await said(running, "policy", "test", "--command", "rm -rf build")).code == 7
    path.write_text(READER.replace("access", "acces"))
    bad = await said(running, "policy", "apply", "default", str(path))
    assert bad.code == 2
    assert f"{path}:5:33: network.site.endpoints[0].acces" in bad.err
    versions = json.loads((await said(running, "policy", "versions", "default", "-o", "json")).out)
    assert [(row["version"], row["state"]) for row in versions] == [(3, "FAILED"), (2, "LOADED"), (1, "SUPERSEDED")]
    assert (await said(running, "policy", "undo", "default")).code == 0
    assert (await said(running, "policy", "test", url)).code == 7


async def test_people_work_inside_as_the_agent_may(running: Fleet) -> None:
    here = running.folder / "here"
    (here / "tree").mkdir(parents=True)
    (here / "tree" / "notes.txt").write_text("kept\n")
    assert (await said(running, "cp", str(here / "tree"), "assistant:")).code == 0
    assert (await said(running, "cp", str(here / "tree"), "assistant:")).code == 6
    done = await said(
        running, "shell", "assistant", "sh", "-c", "cat tree/notes.txt; echo more >> tree/notes.txt; exit 9"
    )
    assert (done.code, done.out) == (9, "kept\n")
    assert (await said(running, "cp", "assistant:tree/notes.txt", str(here / "back"))).code == 0
    assert (here / "back").read_text() == "kept\nmore\n"
    assert (await said(running, "cp", "assistant:nothing", str(here))).code == 3
    assert (await said(running, "shell", "assistant", "no-such-program")).code == 3
    shown = await said(running, "sandbox", "show", "assistant")
    assert "landlock" in shown.out
    assert "visited" in (await said(running, "sandbox", "logs", "assistant")).out
    assert (await said(running, "sandbox", "stop", "assistant")).code == 0
    assert (await said(running, "sandbox", "show", "assistant")).code == 3
    again = await said(running, "shell", "assistant", "cat", "tree/notes.txt")
    assert again.out == "kept\nmore\n"


async def test_what_is_refused_is_asked_for_and_let_through_by_a_grant(running: Fleet) -> None:
    url = "https://asked.example.org/"
    refused = await said(running, "shell", "assistant", "curl", "-sS", "-m", "20", url)
    assert "403" in refused.err
    waiting = await said(running, "approvals", "-o", "name")
    assert waiting.out.startswith("approvals/")
    assert (await said(running, "approve", "last", "--for", "1h")).code == 0
    assert (await said(running, "policy", "test", url)).code == 0
    assert "403" not in (await said(running, "shell", "assistant", "curl", "-sS", "-m", "20", url)).err
    assert (await said(running, "grant", "revoke", "last")).code == 0
    assert "403" in (await said(running, "shell", "assistant", "curl", "-sS", "-m", "20", url)).err


async def test_a_real_terminal_inside_is_typed_at(running: Fleet) -> None:
    cli = Cli(running.home.root)
    with Terminal(cli.argv("shell", "assistant"), cli.environment, str(ROOT)) as terminal:
        await asyncio.to_thread(terminal.wait_for, "$")
        terminal.type("echo $((6*7)) $(stty size)\r")
        await asyncio.to_thread(terminal.wait_for, "42 40 100")
        terminal.type('exec sh -c \'trap "exit 5" INT; echo sta""rted; while :; do sleep 0.1; done\'\r')
        await asyncio.to_thread(terminal.wait_for, "started")
        terminal.type("\x03")
        assert await asyncio.to_thread(terminal.process.wait, 30) == 5
