"""Which handler serves which path of the door."""

from collections.abc import Mapping

from router.apis.asked import ROOT
from router.ask import CHAT, EMBEDDINGS
from router.authorise import Authoriser
from router.broker import Broker
from router.dialects.contract import CHAT_FORM, RESPONSES
from router.door import Handler
from router.doors import kept, lend, models
from router.doors.calls import Calls
from router.secrets import Secrets


def paths(authoriser: Authoriser, broker: Broker, secrets: Secrets, apis: Handler) -> Mapping[str, Handler]:
    """Give every handler."""
    listing = models.Models(authoriser, broker.fleet)
    return {
        "/v1/chat/completions": Calls(authoriser, broker, CHAT_FORM, CHAT),
        "/v1/embeddings": Calls(authoriser, broker, CHAT_FORM, EMBEDDINGS),
        "/v1/responses": Calls(authoriser, broker, RESPONSES, CHAT),
        kept.PATH: kept.Kept(authoriser),
        models.PATH: listing,
        f"{models.PATH}/": listing,
        lend.PATH: lend.Lend(authoriser, secrets),
        ROOT: apis,
        f"{ROOT}/": apis,
    }
