"""Models asked over gRPC by our own client and from the command line, at a router that really runs."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from signet.client import AsyncSignet
from signet.client.inference import Event
from signet.kit.errors import NotFound, ResourceExhausted
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.unit.router.rig import OPERATOR, Rig, rig

BODY = {"model": "fake/fake-small", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def running(fake: FakeProvider) -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        async with rig(Path(folder) / "d", fake) as made:
            yield made


@pytest.fixture
async def signet(running: Rig) -> AsyncIterator[AsyncSignet]:
    async with AsyncSignet(data=str(running.home.root), token=OPERATOR) as client:
        yield client


async def test_the_client_asks_whole_and_in_streams(signet: AsyncSignet) -> None:
    whole = await signet.inference.complete(BODY)
    assert whole.body["choices"][0]["message"]["content"] == "You said: hi"
    assert whole.usage.output_tokens == 5
    events: list[Event] = [event async for event in signet.inference.stream(BODY)]
    text = [choice["delta"].get("content") or "" for event in events for choice in event.body.get("choices", ())]
    assert "".join(text) == "You said: hi"
    assert events[-1].usage is not None
    assert events[-1].usage.input_tokens == 11


async def test_the_client_counts_and_embeds(signet: AsyncSignet) -> None:
    assert (await signet.inference.count(BODY)).input_tokens > 0
    embedded = await signet.inference.embed({"model": "fake/fake-embed", "input": "a"})
    assert len(embedded.body["data"]) == 1


async def test_the_client_raises_what_went_wrong_and_asks_once(signet: AsyncSignet, fake: FakeProvider) -> None:
    with pytest.raises(NotFound, match="fake/fake-small"):
        await signet.inference.complete({**BODY, "model": "fake/fake-smal"})
    fake.queue(Reply(status=429))
    with pytest.raises(ResourceExhausted):
        await signet.inference.complete(BODY)
    assert len(fake.asked) == 1


async def test_a_stream_that_is_closed_ends_the_providers_work(signet: AsyncSignet, fake: FakeProvider) -> None:
    fake.queue(Reply("word " * 5000, delay_seconds=0.01))
    stream = signet.inference.stream(BODY)
    await anext(stream)
    await stream.aclose()
    await fake.hung_up()


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


async def begun(running: Rig, *words: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "SIGNET_DATA": str(running.home.root), "SIGNET_TOKEN": OPERATOR}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "signet.cli", "model", "ask", *words,
        env=environment, stdin=-1, stdout=-1, stderr=-1,
    )  # fmt: skip


async def ask(running: Rig, *words: str, piped: bytes = b"") -> Done:
    process = await begun(running, *words)
    async with asyncio.timeout(60):
        out, err = await process.communicate(piped)
    return Done(process.returncode or 0, out.decode(), err.decode())


async def test_a_command_prints_the_answer_and_says_what_it_took(running: Rig, fake: FakeProvider) -> None:
    done = await ask(running, "fake/fake-small", "say", "it", "--system", "Be brief.", "--max-tokens", "40")
    assert (done.code, done.out) == (0, "You said: say it\n")
    assert "11 tokens read, 6 written, cost unknown" in done.err
    body = fake.asked[-1].body
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["max_tokens"] == 40


async def test_a_program_gets_one_object_or_every_event(running: Rig) -> None:
    done = await ask(running, "fake/fake-small", "-o", "json", "-", piped=b"from a pipe")
    told = json.loads(done.out)
    assert (told["output"], told["finish_reason"]) == ("You said: from a pipe", "stop")
    assert int(told["usage"]["outputTokens" if "outputTokens" in told["usage"] else "output_tokens"]) == 7
    lines = [json.loads(line) for line in (await ask(running, "fake/fake-small", "-o", "jsonl", "hi")).out.splitlines()]
    assert lines[0]["object"] == "chat.completion.chunk"
    assert "usage" in lines[-1]


async def test_a_command_that_fails_says_why_by_its_exit_code(running: Rig) -> None:
    done = await ask(running, "fake/fake-smal", "hi")
    assert done.code == 3
    assert "fake/fake-small" in done.err


async def test_an_interrupted_command_ends_the_providers_work(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(fault=Fault.STALL_AT_ONCE))
    process = await begun(running, "fake/fake-small", "hi")
    await fake.was_asked(wait_seconds=60)
    process.send_signal(signal.SIGINT)
    await fake.hung_up(wait_seconds=60)
    await process.communicate()
    assert process.returncode == 130
