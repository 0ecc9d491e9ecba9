"""Which handler serves which path of the door."""

from collections.abc import Mapping

from router.apis.asked import ROOT
from router.ask import CHAT, EMBEDDINGS
from router.authorise import Authoriser
from router.broker import Broker
from router.dialects.contract import CHAT_FORM, MESSAGES, RESPONSES
from router.door import Handler
from router.doors import counts, kept, lend, models, scrape
from router.doors.calls import Calls
from router.observe.metrics import Metrics
from router.providers.anthropic import PASSED
from router.secrets import Secrets


def paths(
    authoriser: Authoriser, broker: Broker, secrets: Secrets, apis: Handler, metrics: Metrics
) -> Mapping[str, Handler]:
    """Give every handler."""
    listing = models.Models(authoriser, broker.fleet)
    return {
        "/v1/chat/completions": Calls(authoriser, broker, CHAT_FORM, CHAT),
        "/v1/embeddings": Calls(authoriser, broker, CHAT_FORM, EMBEDDINGS),
        "/v1/responses": Calls(authoriser, broker, RESPONSES, CHAT),
        "/v1/messages": Calls(authoriser, broker, MESSAGES, CHAT, PASSED),
        **counts.counts(authoriser, broker),
        kept.PATH: kept.Kept(authoriser),
        models.PATH: listing,
        f"{models.PATH}/": listing,
        lend.PATH: lend.Lend(authoriser, secrets),
        scrape.PATH: scrape.Scrape(authoriser, metrics),
        ROOT: apis,
        f"{ROOT}/": apis,
    }
