"""A served fake of OpenRouter: OpenAI's form as OpenRouter has it, costs, comments and errors in streams among it."""

from tests.fakes.openrouter.server import FakeOpenRouter

__all__ = ["FakeOpenRouter"]
