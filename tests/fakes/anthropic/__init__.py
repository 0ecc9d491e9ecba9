"""A served fake of Anthropic's API."""

from tests.fakes.anthropic.form import failed
from tests.fakes.anthropic.server import EARLIER, LATER, FakeAnthropic

__all__ = ["EARLIER", "LATER", "FakeAnthropic", "failed"]
