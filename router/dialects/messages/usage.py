"""Usage, in this form's words and in chat's: here, what the cache gave and took is beside the input, not part of it."""

from collections.abc import Mapping
from typing import Any

from router.dialects.messages.shape import part
from router.usage import Usage, read

_MOST = 1 << 40
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_HOUR = "ephemeral_1h_input_tokens"


class Counts:
    """What an answer said so far of what it used: of each count, the last word stands. Nonsense is not noted."""

    __slots__ = ("_said", "_thought", "_written")

    def __init__(self) -> None:
        self._said: dict[str, int] = {}
        self._written: int = 0
        self._thought: int = 0

    def take(self, usage: object) -> bool:
        """Take what an answer, or an event of one, says; gives whether it told how much was made."""
        if not isinstance(usage, Mapping):
            return False
        for name in _COUNTS:
            if (count := _count(usage.get(name))) is not None:
                self._said[name] = count
        self._written = _count(part(usage, "cache_creation").get(_HOUR)) or self._written
        self._thought = _count(part(usage, "output_tokens_details").get("thinking_tokens")) or self._thought
        return _count(usage.get("output_tokens")) is not None

    def usage(self, *, made: int | None = None) -> Usage | None:
        """Give it; None where it is not known. `made`: an estimate of the output where the answer was cut off."""
        if "input_tokens" not in self._said or (made is None and "output_tokens" not in self._said):
            return None
        cached = self._said.get("cache_read_input_tokens", 0)
        wrote = self._said.get("cache_creation_input_tokens", 0)
        output = max(self._said.get("output_tokens", 0), made or 0)
        return Usage(
            self._said["input_tokens"] + cached + wrote,
            output,
            cached,
            min(self._thought, output),
            estimated=made is not None,
            cache_write_tokens=wrote,
            cache_write_1h_tokens=min(self._written, wrote),
        )


def usage(answer: Mapping[str, Any]) -> Usage | None:
    """Read the usage of an answer; None where it says none."""
    counts = Counts()
    counts.take(answer.get("usage"))
    return counts.usage()


def write(said: object) -> dict[str, Any]:
    """Write chat's usage in this form; zeros where there is none, for its callers count on it."""
    return written(read(said) or Usage(0, 0))


def written(used: Usage) -> dict[str, Any]:
    """Write a usage in this form."""
    found: dict[str, Any] = {
        "input_tokens": used.input_tokens - used.cached_tokens - used.cache_write_tokens,
        "cache_creation_input_tokens": used.cache_write_tokens,
        "cache_read_input_tokens": used.cached_tokens,
        "output_tokens": used.output_tokens,
    }
    if used.cache_write_1h_tokens:
        short = used.cache_write_tokens - used.cache_write_1h_tokens
        found["cache_creation"] = {"ephemeral_5m_input_tokens": short, _HOUR: used.cache_write_1h_tokens}
    if used.reasoning_tokens:
        found["output_tokens_details"] = {"thinking_tokens": used.reasoning_tokens}
    return found


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST else None
