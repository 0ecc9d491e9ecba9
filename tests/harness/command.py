"""One call of `signet`, from its start to its exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

_SECONDS = 120.0


@dataclass(frozen=True)
class Done:
    """What a command gave back."""

    code: int
    out: str
    err: str


async def signet(*words: str, environment: Mapping[str, str] | None = None, given: str = "") -> Done:
    """Call `signet` with these words, `given` on standard input, and wait for its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signet.cli", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | dict(environment or {}),
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate(given.encode())
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    return Done(process.returncode or 0, out.decode(), err.decode())
