"""A served fake of OpenAI's Responses API: strict about requests, exact about events, with faults on demand."""

from tests.fakes.responses.server import FakeResponses

__all__ = ["FakeResponses"]
