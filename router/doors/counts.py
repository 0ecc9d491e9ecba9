"""How many tokens a request has, at the door."""

import asyncio
import json
from collections.abc import Callable
from functools import partial

from router.ask import Ask
from router.authorise import Authoriser, Identity
from router.broker import Broker
from router.dialects.contract import MESSAGES, RESPONSES
from router.dialects.messages.asked import parse as message
from router.dialects.responses.asked import parse as response
from router.visit import Visit


class Counts:
    """Counts as the model's provider does where that can, else about; either way nothing is spent.

    `read` reads a request of the form `face`; `kind` is what its answer calls itself, where it does.
    """

    def __init__(
        self, authoriser: Authoriser, broker: Broker, face: str, read: Callable[[bytes], Ask], kind: str = ""
    ) -> None:
        self.face = face
        self._authoriser = authoriser
        self._broker = broker
        self._read = read
        self._named = {"object": kind} if kind else {}

    async def serve(self, visit: Visit) -> None:
        """Answer a question. Raises Refusal, and CallerGone."""
        visit.allow("POST")
        who = await self._authoriser.identify(visit.authorization)
        ask = await asyncio.to_thread(self._read, await visit.body())
        if ask.unbounded and ask.only is not None:
            raise ask.only  # nobody here knows what lies elsewhere
        await visit.while_there(self._count(visit, ask, who))

    async def _count(self, visit: Visit, ask: Ask, who: Identity) -> None:
        found = await self._broker.count(ask, who)
        await visit.reply.whole(json.dumps({**self._named, "input_tokens": found.tokens}).encode())


def counts(authoriser: Authoriser, broker: Broker) -> dict[str, Counts]:
    """Give the handlers by path."""
    return {
        "/v1/messages/count_tokens": Counts(authoriser, broker, MESSAGES, partial(message, counts=True)),
        "/v1/responses/input_tokens": Counts(authoriser, broker, RESPONSES, response, "response.input_tokens"),
    }
