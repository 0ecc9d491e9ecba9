"""A router process with a provider of every kind, and the official client of its door."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai

from signet.kit import dial
from signet.kit.home import Home
from signet.v1 import models_pb2, providers_pb2
from signet.v1.models_pb2_grpc import ModelServiceStub
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from tests.conformance.subjects import SERVED, Subject
from tests.fakes import tokens as fake_tokens
from tests.fakes.provider import FakeProvider
from tests.fakes.tokens import FakeTokens
from tests.harness.process import Process
from tests.unit.router.rig import OPERATOR, free_port


@dataclass(frozen=True)
class House:
    """What tests reach: the folder, the client, the services, and the fakes by their providers' ids."""

    home: Home
    official: openai.AsyncOpenAI
    providers: Any
    models: Any
    fakes: dict[str, FakeProvider] = field(default_factory=dict)

    def client(self, token: str = OPERATOR) -> openai.AsyncOpenAI:
        """Give the client with a token."""
        return self.official.with_options(api_key=token)

    async def add(self, subject: Subject, name: str, fake: FakeProvider) -> None:
        """Add a fake as a provider, and wait until its models are known."""
        kind: Any = providers_pb2.ProviderKind.Value(f"PROVIDER_KIND_{subject.kind}")
        provider = providers_pb2.Provider(name=f"providers/{name}", kind=kind, base_url=fake.base_url)
        await self.providers.CreateProvider(providers_pb2.CreateProviderRequest(provider=provider, key=fake.key))
        await self.providers.CheckProvider(providers_pb2.CheckProviderRequest(name=f"providers/{name}"))

    @asynccontextmanager
    async def fresh(self, subject: Subject, key: str = "") -> AsyncIterator[tuple[str, FakeProvider]]:
        """Give a chat model of another fake of a kind, of which no other test has seen a failure."""
        name = f"{subject.id}-x"
        if subject.make is None:
            raise ValueError("only what is served can be made anew")
        fake = subject.make()
        fake.key = key
        async with fake:
            await self.add(subject, name, fake)
            try:
                yield f"{name}/{subject.chat}", fake
            finally:
                await self.providers.DeleteProvider(providers_pb2.DeleteProviderRequest(name=f"providers/{name}"))

    async def profile(self, name: str) -> models_pb2.ModelProfile:
        """Give what is known of a model."""
        answer = await self.models.GetModel(models_pb2.GetModelRequest(name=f"models/{name}"))
        found: models_pb2.ModelProfile = answer.model.profile
        return found


@asynccontextmanager
async def opened() -> AsyncIterator[House]:
    """Start it, with every fake that is served, and wait until their models are known."""
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-")))
        home = Home(root / "d")
        home.prepare()
        await stack.enter_async_context(
            fake_tokens.serving(home.socket("control.sock"), FakeTokens({OPERATOR: "OPERATOR"}))
        )
        port = free_port()
        options = ["--set", f"door_port={port}", "--set", "port=0"]
        await stack.enter_async_context(Process(root, "router", "--data", str(home.root), *options))
        channel = await stack.enter_async_context(dial.channel(home.target("router.sock"), OPERATOR))
        official = openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=OPERATOR, max_retries=0, timeout=120
        )
        await stack.enter_async_context(official)
        built = House(home, official, ProviderServiceStub(channel), ModelServiceStub(channel))
        for subject in SERVED:
            if subject.make is not None:
                fake = await stack.enter_async_context(subject.make())
                built.fakes[subject.id] = fake
                await built.add(subject, subject.id, fake)
        yield built
