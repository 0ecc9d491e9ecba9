"""How many tokens a request of the Messages API has, at the door."""

import asyncio
import json

from router.ask import Ask
from router.authorise import Authoriser, Identity
from router.broker import Broker
from router.dialects.contract import MESSAGES
from router.dialects.messages.asked import parse
from router.visit import Visit

PATH = "/v1/messages/count_tokens"


class Counts:
    """Counts as the model's provider does where that can, else about; either way nothing is spent."""

    face = MESSAGES

    def __init__(self, authoriser: Authoriser, broker: Broker) -> None:
        self._authoriser = authoriser
        self._broker = broker

    async def serve(self, visit: Visit) -> None:
        """Answer a question. Raises Refusal, and CallerGone."""
        visit.allow("POST")
        who = await self._authoriser.identify(visit.authorization)
        ask = await asyncio.to_thread(parse, await visit.body(), counts=True)
        await visit.while_there(self._count(visit, ask, who))

    async def _count(self, visit: Visit, ask: Ask, who: Identity) -> None:
        found = await self._broker.count(ask, who)
        await visit.reply.whole(json.dumps({"input_tokens": found.tokens}).encode())
