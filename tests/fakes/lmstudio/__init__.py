"""A served fake of LM Studio: OpenAI's form as LM Studio has it, and the part of its own that tells of models."""

from tests.fakes.lmstudio.server import FakeLMStudio

__all__ = ["FakeLMStudio"]
