"""A served fake of llama.cpp's server: OpenAI's form as it has it, and the part of its own that tells of the model."""

from tests.fakes.llamacpp.server import FakeLlamaCpp

__all__ = ["FakeLlamaCpp"]
