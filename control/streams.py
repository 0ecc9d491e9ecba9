"""Two directions of a gRPC stream served at once, with a clean end whichever stops first."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*parts: Coroutine[Any, Any, None]) -> None:
    """Run parts at once until the first of them ends, then cancel the others. Raises what that one, or any, raised.

    Cancelled, it cancels all of them. It returns when none of them runs any more.
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
