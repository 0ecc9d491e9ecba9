"""What was answered before, at the door: nothing of it is kept."""

from router.authorise import Authoriser
from router.dialects.contract import RESPONSES
from router.refusal import Refusal
from router.visit import Visit

PATH = "/v1/responses/"

_GONE = (
    "the router keeps no responses, so there is none to fetch, cancel or delete; a stream that is left is cancelled, "
    "and `input` has to hold the whole conversation"
)


class Kept:
    """Answers what is asked about a response that was given."""

    face = RESPONSES

    def __init__(self, authoriser: Authoriser) -> None:
        self._authoriser = authoriser

    async def serve(self, visit: Visit) -> None:
        """Say that there is none. Raises Refusal, always."""
        await self._authoriser.identify(visit.authorization, reading=True)
        if not visit.path.startswith(f"{PATH}resp_"):
            raise Refusal(501, "not_implemented", f"the router has no {visit.path}; POST /v1/responses answers")
        raise Refusal(404, "response_not_kept", _GONE, "response_id")
