"""A served fake of vLLM: OpenAI's form as vLLM has it, its list with contexts, its tokenizer."""

from tests.fakes.vllm.server import FakeVLLM

__all__ = ["FakeVLLM"]
