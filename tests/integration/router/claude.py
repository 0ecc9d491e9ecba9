"""A live router before a provider of chat and one of messages, and both official clients at its door."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai

from signet.v1 import providers_pb2 as pb
from tests.fakes.anthropic import EARLIER, FakeAnthropic
from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import OPERATOR, Rig, add, free_port, rig

MODELS = {"chat": "chat/fake-small", "messages": f"messages/{EARLIER}"}
"""A model of each provider, by the form that this speaks."""

KEY = "sk-ant-of-the-provider"


@dataclass(frozen=True)
class Claude:
    """The router, its providers, and the clients."""

    rig: Rig
    fakes: dict[str, FakeProvider]
    client: anthropic.AsyncAnthropic
    openai: openai.AsyncOpenAI

    def as_run(self, *models: str) -> anthropic.AsyncAnthropic:
        """Give the client of a run that may ask these models only."""
        return self.client.with_options(api_key=self.rig.run_token(*models))

    def sent(self, form: str) -> Any:
        """Give the body that a provider was asked with last."""
        return self.fakes[form].asked[-1].body

    async def rows(self, count: int) -> Any:
        """Give the last rows of the ledger."""
        from router.store.ledger import Filter

        return await self.rig.app.ledger.rows(Filter(), after=None, limit=count)


@asynccontextmanager
async def claude(**options: Any) -> AsyncIterator[Claude]:
    """Run all of it."""
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-")))
        port = free_port()
        chat = await stack.enter_async_context(FakeProvider(key="sk-of-the-chat-provider"))
        messages = await stack.enter_async_context(FakeAnthropic(key=KEY))
        running = await stack.enter_async_context(rig(root / "d", door_port=port, **options))
        await add(running, chat, "chat", kind=pb.PROVIDER_KIND_OPENAI)
        await add(running, messages, "messages", kind=pb.PROVIDER_KIND_ANTHROPIC)
        origin = f"http://127.0.0.1:{port}"
        client = anthropic.AsyncAnthropic(base_url=origin, api_key=OPERATOR, max_retries=0, timeout=60)
        other = openai.AsyncOpenAI(base_url=f"{origin}/v1", api_key=OPERATOR, max_retries=0, timeout=60)
        await stack.enter_async_context(client)
        yield Claude(running, {"chat": chat, "messages": messages}, client, await stack.enter_async_context(other))
