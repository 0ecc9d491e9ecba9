"""What every tool is given and gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RESULT_BYTES = 256 * 1024
"""Most bytes of a result where the caller names no bound."""


class ToolError(Exception):
    """The call cannot be done; the message tells the model what was wrong and what would be right."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one call."""

    seconds: float = 120
    output_bytes: int = RESULT_BYTES


@dataclass(frozen=True)
class Result:
    """What the model is given back."""

    text: str
    is_error: bool = False


@dataclass(frozen=True)
class Call:
    """One call: checked arguments, bounds, and where output goes as it comes."""

    arguments: Mapping[str, Any]
    limits: Limits
    emit: Callable[[str], None]

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string argument. Raises ToolError where it is missing or of another type."""
        value = self.arguments.get(key, default)
        if value is None:
            raise ToolError(f"`{key}` is missing.")
        if not isinstance(value, str):
            raise ToolError(f"`{key}` has to be a string, not {type(value).__name__}.")
        return value

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """Return an integer argument. Raises ToolError where it is out of bounds or of another type."""
        value = self.arguments.get(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ToolError(f"`{key}` has to be a whole number, not {value!r}.")
        if not least <= value <= most:
            raise ToolError(f"`{key}` has to be between {least} and {most}, not {value}.")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a boolean argument. Raises ToolError where it is of another type."""
        value = self.arguments.get(key, default)
        if not isinstance(value, bool):
            raise ToolError(f"`{key}` has to be true or false, not {value!r}.")
        return value
