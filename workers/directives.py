"""Hearing at once what control wants; what is missed here comes with the next renewal of the leases."""

import asyncio
from collections.abc import Callable

from signet.kit.errors import SignetError
from signet.work.v1 import work_pb2
from workers.backoff import Backoff
from workers.control import Control


class Directives:
    """The stream of directives, opened again whenever it ends."""

    def __init__(self, control: Control, obey: Callable[[work_pb2.Directive], None]) -> None:
        self._control = control
        self._obey = obey

    async def run(self) -> None:
        """Follow until cancelled."""
        backoff = Backoff(first=0.1, most=2.0)
        while True:
            try:
                async for directive in self._control.directives():
                    self._obey(directive)
                    backoff.reset()
            except SignetError:  # control is away or knows another incarnation: claiming and renewing say so
                pass
            await asyncio.sleep(backoff.next())
