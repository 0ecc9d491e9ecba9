"""A served fake of an OpenAI-compatible provider: chat, streams, tools, embeddings, models, and faults on demand."""

from tests.fakes.provider.reply import Fault, Reply, ToolCall
from tests.fakes.provider.server import Asked, FakeProvider, Unasked, converse

__all__ = ["Asked", "FakeProvider", "Fault", "Reply", "ToolCall", "Unasked", "converse"]
