"""Secrets lent to a run's sidecars, at the door."""

import json

from router.authorise import Authoriser
from router.dialects.contract import CHAT_FORM
from router.secrets import Secrets
from router.visit import Visit

PATH = "/signet/v1/secrets/"


class Lend:
    """Lends one secret a request."""

    face = CHAT_FORM

    def __init__(self, authoriser: Authoriser, secrets: Secrets) -> None:
        self._authoriser = authoriser
        self._secrets = secrets

    async def serve(self, visit: Visit) -> None:
        """Give the value to a run that may have it. Raises Refusal."""
        visit.allow("POST")
        who = await self._authoriser.identify(visit.authorization)
        value = await self._secrets.lend(visit.path.removeprefix(PATH), who)
        await visit.reply.whole(json.dumps({"value": value}).encode())
