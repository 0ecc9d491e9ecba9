"""A live router before providers of three forms, and the official OpenAI client at its door."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from signet.v1 import providers_pb2 as pb
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.provider import FakeProvider
from tests.fakes.responses import FakeResponses
from tests.unit.router.rig import OPERATOR, Rig, add, free_port, rig

FORMS = ("chat", "responses", "messages")
"""The providers, each named after the form that it speaks."""

MODELS = ("fake-small", "fake-large")


@dataclass(frozen=True)
class Official:
    """The router, its providers, and the client."""

    rig: Rig
    fakes: dict[str, FakeProvider]
    client: openai.AsyncOpenAI

    def as_run(self, *models: str) -> openai.AsyncOpenAI:
        """Give the client of a run that may ask these models only."""
        return self.client.with_options(api_key=self.rig.run_token(*models))

    def sent(self, form: str) -> Any:
        """Give the body that a provider was asked with last."""
        return self.fakes[form].asked[-1].body


@asynccontextmanager
async def official(**options: Any) -> AsyncIterator[Official]:
    """Run all of it."""
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-")))
        port = free_port()
        fakes: dict[str, FakeProvider] = {
            "chat": await stack.enter_async_context(FakeProvider(key="sk-of-the-chat-provider")),
            "responses": await stack.enter_async_context(FakeResponses(key="sk-of-the-other-provider")),
            "messages": await stack.enter_async_context(FakeAnthropic(key="sk-of-the-third", models=MODELS)),
        }
        running = await stack.enter_async_context(rig(root / "d", door_port=port, **options))
        kinds = {
            "chat": pb.PROVIDER_KIND_OPENAI,
            "responses": pb.PROVIDER_KIND_RESPONSES,
            "messages": pb.PROVIDER_KIND_ANTHROPIC,
        }
        for form in FORMS:
            await add(running, fakes[form], form, kind=kinds[form])
        client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=OPERATOR, max_retries=0, timeout=60)
        yield Official(running, fakes, await stack.enter_async_context(client))
