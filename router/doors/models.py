"""The models that a caller may ask, at the door."""

import json
from typing import Any
from urllib.parse import unquote

from router.authorise import Authoriser, Identity
from router.dialects.contract import CHAT_FORM
from router.dialects.messages.listing import written
from router.fleet import Fleet
from router.refusal import Refusal
from router.visit import Visit

PATH = "/v1/models"


class Models:
    """Lists models, or tells of one, as OpenAI's API does, or Anthropic's."""

    face = CHAT_FORM

    def __init__(self, authoriser: Authoriser, fleet: Fleet) -> None:
        self._authoriser = authoriser
        self._fleet = fleet

    async def serve(self, visit: Visit) -> None:
        """Answer a request. Raises Refusal."""
        visit.allow("GET")
        who = await self._authoriser.identify(visit.authorization, reading=True)
        found = self._models(who, visit.path)
        if visit.header(b"anthropic-version"):  # which Anthropic's clients send with everything
            found = written(found)
        await visit.reply.whole(json.dumps(found).encode())

    def _models(self, who: Identity, path: str) -> dict[str, Any]:
        wanted = unquote(path.removeprefix(PATH).removeprefix("/"))
        items = [
            {"id": name, "object": "model", "created": 0, "owned_by": _owner(name)}
            for name in self._fleet.names()
            if wanted in ("", name) and who.may(name)
        ]
        if not wanted:
            return {"object": "list", "data": items}
        if not items:
            raise Refusal(404, "model_not_found", f"there is no model {wanted!r} for this token", "model")
        return items[0]


def _owner(name: str) -> str:
    provider, slash, _ = name.partition("/")
    return provider if slash else "routes"
