"""APIs at the door: who may call what, how often, with which credential."""

import json
import math
from dataclasses import replace
from typing import Any

from router.apis.allow import READING, allowed
from router.apis.api import Api, permitted
from router.apis.asked import ROOT, Asked, read
from router.apis.credential import Credentials
from router.apis.place import looped
from router.apis.rate import Rates
from router.apis.relay import Relay, Sent
from router.authorise import Authoriser, Identity
from router.dialects.contract import CHAT_FORM
from router.refusal import Refusal
from router.store.apis import ApiStore
from router.visit import Visit
from signet.kit.errors import SignetError

POLICY = b"x-signet-policy"
"""A header of a run's sidecar: the token that control signed last for the agent's policy. Its APIs are those of now,
while those in the run's own token are of when the run began; an empty one names none."""


class Apis:
    """Serves `/apis/{api}/…` and the list of those that a caller may call. What is changed counts for the next call."""

    face = CHAT_FORM

    def __init__(
        self, authoriser: Authoriser, store: ApiStore, credentials: Credentials, rates: Rates, relay: Relay
    ) -> None:
        self._authoriser = authoriser
        self._store = store
        self._credentials = credentials
        self._rates = rates
        self._relay = relay

    async def serve(self, visit: Visit) -> None:
        """Answer a request. Raises Refusal, and CallerGone."""
        if visit.raw_path.rstrip(b"/") == ROOT.encode():
            visit.allow("GET")
            await visit.reply.whole(json.dumps(await self._listing(await self._who(visit, reading=True))).encode())
            return
        who = await self._who(visit)
        asked = read(visit.method, visit.raw_path, visit.query)
        api = await self._api(asked, who)
        given = [(str(name, "latin-1"), str(value, "latin-1")) for name, value in visit.headers]
        if looped(given):
            raise Refusal(508, "loop_detected", f"{api.name} leads back to this router")
        _check(api, asked)
        self._count(api, who)
        sent = Sent(asked, given, await visit.body())
        credential = await self._credentials.of(api, who)
        await visit.while_there(self._relay.call(api, who, sent, credential, visit.reply))

    async def _who(self, visit: Visit, *, reading: bool = False) -> Identity:
        who = await self._authoriser.identify(visit.authorization, reading=reading)
        if not who.run or all(name != POLICY for name, _ in visit.headers):
            return who
        token = visit.header(POLICY)
        policy = await self._authoriser.identify(f"Bearer {token}") if token else Identity("")
        if token and policy.agent != who.agent:
            raise Refusal(403, "unauthorized", f"the policy's token is another agent's than {who.agent}")
        return replace(who, apis=policy.apis)

    async def _api(self, asked: Asked, who: Identity) -> Api:
        """Give the API. Raises Refusal: 403 for one that the caller may not call, whether there is one or not."""
        try:
            api = await self._store.find(asked.api)
        except SignetError as error:
            raise _away(error) from error
        if not (api.serves(who) if api else permitted(asked.api, who)):
            message = (
                f"{who.agent or who.caller} may not call apis/{asked.api}: neither its policy (`apis`) nor the API "
                f"(`signet api add --agent`) names it; GET {ROOT} lists those that it may call"
            )
            raise Refusal(403, "api_not_allowed", message)
        if api is None:
            raise Refusal(404, "api_not_found", f"there is no apis/{asked.api} (`signet api list`)")
        return api

    def _count(self, api: Api, who: Identity) -> None:
        wait = self._rates.take(api.id, who.agent or who.caller, api.calls_per_minute)
        if wait > 0:
            message = f"{api.name} takes {api.calls_per_minute} calls a minute of each agent; try again later"
            raise Refusal(429, "rate_limit_exceeded", message, retry_after_seconds=math.ceil(wait))

    async def _listing(self, who: Identity) -> dict[str, Any]:
        try:
            found = await self._store.all()
        except SignetError as error:
            raise _away(error) from error
        return {
            "apis": [
                {
                    "name": api.name,
                    "path": f"{ROOT}/{api.id}",
                    "description": api.description,
                    "allow": [str(rule) for rule in api.allow or READING],
                    "calls_per_minute": api.calls_per_minute,
                }
                for api in found
                if api.serves(who)
            ]
        }


def _check(api: Api, asked: Asked) -> None:
    if not allowed(api.allow, asked.method, asked.segments):
        rules = ", ".join(str(rule) for rule in api.allow or READING)
        message = f"{asked.method} {asked.path[:200] or '/'} is not let through to {api.name}; there are: {rules}"
        raise Refusal(403, "path_not_allowed", message)


def _away(error: SignetError) -> Refusal:
    return Refusal(503, "store_unavailable", error.message, retry_after_seconds=5)
