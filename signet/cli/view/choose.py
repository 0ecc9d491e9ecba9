"""Which view shows a run."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Protocol

from signet.cli.call import Call
from signet.v1.events_pb2 import RunEvent

_FRAME_SECONDS = 0.08


class View(Protocol):
    """What shows a run."""

    def show(self, event: RunEvent) -> None:
        """Show one event."""

    def tick(self) -> None:
        """Redraw what moves; called some ten times a second."""

    def close(self) -> None:
        """Leave the terminal tidy."""


@asynccontextmanager
async def shown(view: View) -> AsyncIterator[View]:
    """Keep a view moving while the block lasts, and close it at its end."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(_FRAME_SECONDS)
            view.tick()

    ticking = asyncio.create_task(tick())
    try:
        yield view
    finally:
        ticking.cancel()
        view.close()


def choose(call: Call, *, streaming: bool, lines: Collection[str], hushed: Collection[str] = ()) -> View:
    """Choose by what was asked for and where it goes.

    `lines` are the outputs for which every event is a line, `hushed` the codes of notices that people are spared.
    """
    if call.output in lines:
        from signet.cli.view.lines import Lines

        return Lines()
    if call.output == "table" and call.lively and streaming:
        from signet.cli.view.live import Live

        return Live(call, hushed)
    from signet.cli.view.plain import Plain

    return Plain(call, streaming=streaming, answer=call.output == "table", hushed=hushed)
