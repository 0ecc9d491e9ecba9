"""A served fake of Ollama: OpenAI's form as Ollama has it, and the part of its own interface that tells of models."""

from tests.fakes.ollama.server import FakeOllama

__all__ = ["FakeOllama"]
