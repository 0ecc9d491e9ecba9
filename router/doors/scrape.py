"""Metrics at the door, for Prometheus."""

from router.authorise import Authoriser
from router.dialects.contract import CHAT_FORM
from router.observe.metrics import Metrics
from router.refusal import Refusal
from router.visit import Visit

PATH = "/metrics"


class Scrape:
    """Gives the metrics to whoever may read: an operator's or a viewer's token."""

    face = CHAT_FORM

    def __init__(self, authoriser: Authoriser, metrics: Metrics) -> None:
        self._authoriser = authoriser
        self._metrics = metrics

    async def serve(self, visit: Visit) -> None:
        """Answer a scrape. Raises Refusal."""
        visit.allow("GET")
        who = await self._authoriser.identify(visit.authorization, reading=True)
        if who.models is not None:
            raise Refusal(403, "unauthorized", "a run may not read the router's metrics")
        kind, text = self._metrics.text(visit.header(b"accept"))
        length = str(len(text)).encode()
        await visit.reply.begin(200, [(b"content-type", kind.encode()), (b"content-length", length)])
        await visit.reply.end(text)
