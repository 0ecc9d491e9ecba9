"""The command line finds a local server, adds it, shows what its models can do, and replaces its key: real programs."""

import json
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.ollama import FakeOllama
from tests.fakes.provider import FakeProvider
from tests.harness.command import Done, signet
from tests.unit.router.rig import OPERATOR, Rig, free_port, rig


@dataclass(frozen=True)
class Desk:
    """A running router, and `signet` on its data folder."""

    running: Rig

    async def call(self, *words: str, given: str = "") -> Done:
        return await signet(*words, environment={"SIGNET_DATA": str(self.running.home.root)}, given=given)

    async def data(self, *words: str) -> Any:
        done = await self.call(*words, "-o", "json")
        assert done.code == 0, done.err
        return json.loads(done.out)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with rig(tmp_path / "home") as running:
        token = running.home.tokens / "operator"
        token.parent.mkdir(mode=0o700, exist_ok=True)
        token.touch(mode=0o600)
        token.write_text(OPERATOR)
        yield Desk(running)


async def test_what_a_scan_finds_is_added_by_the_line_that_it_prints(desk: Desk) -> None:
    async with FakeOllama() as fake:
        found = await desk.call("provider", "scan", f"127.0.0.1:{fake.port}", f"127.0.0.1:{free_port()}")
        assert found.code == 0, found.err
        (line,) = [line for line in found.err.splitlines() if line.startswith("signet provider add")]
        made = await desk.call(*shlex.split(line)[1:])
        assert made.code == 0, made.err
        name = shlex.split(line)[3]
        await desk.call("provider", "check", name)

        model = (await desk.data("model", "show", f"{name}/qwen3:8b"))["profile"]
        assert (model["tools"], model["images"], model["context_tokens"]) == (True, True, 4096)
        again = await desk.data("provider", "scan", f"127.0.0.1:{fake.port}", "--add")
        assert again == []
        answer = await desk.running.chat(model=f"{name}/qwen3:8b")
    assert answer.status_code == 200


async def test_a_scan_adds_all_that_it_finds_when_it_is_told_to(desk: Desk) -> None:
    async with FakeOllama() as one, FakeProvider() as other, FakeProvider(key="sekret") as locked:
        hosts = [f"127.0.0.1:{fake.port}" for fake in (one, other, locked)]
        made = await desk.data("provider", "scan", *hosts, "--add")
        assert [each["kind"] for each in made] == ["OLLAMA", "OPENAI"]
        listed = {each["base_url"] for each in await desk.data("provider", "list")}
    assert listed == {one.base_url, other.base_url}


async def test_a_replaced_key_is_used_at_once_and_never_shown(desk: Desk) -> None:
    async with FakeProvider(key="the-right-key") as fake:
        added = await desk.call("provider", "add", "box", fake.base_url, "--key-stdin", given="a-wrong-key\n")
        assert added.code == 0, added.err
        assert (await desk.call("provider", "check", "box")).code == 5
        changed = await desk.call("provider", "key", "box", given="the-right-key\n")
        assert (changed.code, changed.out) == (0, "providers/box has another key\n")
        assert (await desk.call("provider", "check", "box")).code == 0
        shown = await desk.call("provider", "show", "box", "-o", "json")
    assert "the-right-key" not in changed.out + changed.err + shown.out + shown.err


@pytest.mark.parametrize("host", ["10.0.0.0/8", "http://box:80"])
async def test_a_range_is_no_host(desk: Desk, host: str) -> None:
    done = await desk.call("provider", "scan", host)
    assert done.code == 2
    assert "a range is not scanned" in done.err
