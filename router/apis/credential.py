"""The credentials of APIs, read from the vault when a call needs one."""

import time
from collections.abc import Callable
from dataclasses import replace

from router.apis.api import Api
from router.authorise import Identity
from router.owners import owners
from router.refusal import Refusal
from router.secrets import Secrets

KEPT_SECONDS = 5.0
"""How long a value that was replaced or removed may still be used."""

_KEPT = 256


class Credentials:
    """Gives values to calls, and remembers them for a few seconds: to read one is written down on disk."""

    def __init__(self, secrets: Secrets, clock: Callable[[], float] = time.monotonic) -> None:
        self._secrets = secrets
        self._clock = clock
        self._known: dict[tuple[str, ...], tuple[float, str]] = {}

    async def of(self, api: Api, who: Identity) -> str:
        """Give an API's credential, empty where it needs none. Raises Refusal (503) where the vault gives none.

        Of those of its name it is the agent's, else that of the user who asked for the run, else everybody's.
        """
        if not api.secret:
            return ""
        key = (api.secret, *owners(who))
        found = self._known.get(key)
        if found is not None and found[0] > self._clock():
            return found[1]
        self._known.pop(key, None)
        try:
            value = await self._secrets.lend(api.secret, replace(who, secrets=frozenset({api.secret})))
        except Refusal as refusal:
            message = f"{api.name} cannot be called without its credential: {refusal.message}"
            raise Refusal(503, "secret_unavailable", message, retry_after_seconds=5) from refusal
        while len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (self._clock() + KEPT_SECONDS, value)
        return value
