"""Input for a command while its output is read."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager

from signet.client.process import Process


@asynccontextmanager
async def feeding(process: Process, chunks: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[None]:
    """Write all of it and then the end, beside the block; leaving the block ends the writing.

    What the source raises ends the block and is raised in its place.
    """
    owner = asyncio.current_task()
    failure: list[BaseException] = []

    async def feed() -> None:
        try:
            async for chunk in _each(chunks):
                await process.write(chunk)
            await process.end_input()
        except Exception as error:  # noqa: BLE001 - raised below, in the block's task
            failure.append(error)
            if owner:
                owner.cancel()

    feeder = asyncio.create_task(feed())
    try:
        yield
    except asyncio.CancelledError:
        if failure and owner:
            owner.uncancel()
            raise failure[0] from None
        raise
    finally:
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)


async def _each(chunks: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(chunks, bytes):
        yield chunks
    elif isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(0)
