"""Calls of models at the door, each path in the form that its clients speak."""

import asyncio
from dataclasses import replace

from router.ask import LARGE_BYTES
from router.authorise import Authoriser
from router.broker import Broker
from router.dialects.forms import face
from router.observe.trace import read
from router.routes.lane import HOPS as HOPS_NAME
from router.visit import Visit

HOPS = HOPS_NAME.encode()
_MOST_DIGITS = 6


class Calls:
    """Answers one path: calls of an endpoint in a form. `passes` are headers that go on to providers of that form."""

    def __init__(
        self, authoriser: Authoriser, broker: Broker, form: str, endpoint: str, passes: tuple[str, ...] = ()
    ) -> None:
        self.face = form
        self._authoriser = authoriser
        self._broker = broker
        self._face = face(form)
        self._endpoint = endpoint
        self._passes = {name: name.encode() for name in passes}

    async def serve(self, visit: Visit) -> None:
        """Answer a call. Raises Refusal, and CallerGone."""
        visit.allow("POST")
        who = await self._authoriser.identify(visit.authorization)
        raw = await visit.body()
        if len(raw) > LARGE_BYTES:
            ask = await asyncio.to_thread(self._face.parse, self._endpoint, raw)
        else:
            ask = self._face.parse(self._endpoint, raw)
        del raw
        if self._passes:
            found = {name: value for name, key in self._passes.items() if (value := visit.header(key))}
            ask = replace(ask, headers=found) if found else ask
        if parent := visit.header(b"traceparent"):
            ask = replace(ask, trace=read(parent, visit.header(b"tracestate")))
        await visit.while_there(self._broker.answer(ask, who, visit.reply, hops(visit.header(HOPS))))


def hops(said: str) -> int:
    """Read how many routers a call has passed; what is no number counts as none."""
    return int(said) if said.isdecimal() and len(said) < _MOST_DIGITS else 0
