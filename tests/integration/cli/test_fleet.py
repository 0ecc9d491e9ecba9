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
    return await signet(*words, "--data", str(fleet.home.root))


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
