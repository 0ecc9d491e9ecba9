"""Tools as real processes in a folder of their own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.inside import inside

HOST = "workers.tools.host"


@dataclass(frozen=True)
class Said:
    """What a call gave: the output as it came, then the result."""

    output: list[str]
    text: str
    is_error: bool


Use = Callable[..., Awaitable[Said]]


@pytest.fixture
def use(tmp_path: Path) -> Use:
    """Call a tool in the folder; `limits` are the worker's, all else are its arguments."""

    async def call(tool: str, *, limits: dict[str, Any] | None = None, **arguments: Any) -> Said:
        async with inside(HOST, tmp_path) as host:
            await host.send({"tool": tool, "arguments": arguments, "limits": limits or {}})
            frames = await host.rest()
            assert await host.ended() == 0, await host.errors()
        result = frames[-1]
        return Said([frame["output"] for frame in frames[:-1]], result["result"], result["is_error"])

    return call
