"""A short-lived program of `signet up`: asks the fleet for a sign-in code, then follows the embedded models' loading.

`python -m signet.up.hello DIR PARENT` prints JSON lines: {"code": …}, then {"models": …, "detail": …} as that changes.
It is a process of its own so that the supervisor, which stays, need not hold a gRPC client in memory.
"""

import asyncio
import json
import signal
import sys

from signet.client import AsyncSignet
from signet.kit.errors import NotFound
from signet.kit.lifecycle import die_with_parent
from signet.v1.providers_pb2 import PROVIDER_STATE_READY, PROVIDER_STATE_UNAVAILABLE, Provider, ProviderState

_EMBEDDED = "providers/embedded"
_LOADING_SECONDS = 120.0
_PAUSE_SECONDS = 0.2


def _print(**said: str) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def hello(data: str) -> None:
    """Print the code and what becomes of the embedded models. Raises an error of signet.kit.errors, or TimeoutError."""
    async with AsyncSignet(data=data) as signet, asyncio.timeout(_LOADING_SECONDS):
        _print(code=(await signet.tokens.create_sign_in_code()).code)
        seen = ""
        while True:
            try:
                provider: Provider = await signet.providers.get(_EMBEDDED)
            except NotFound:
                return
            state = ProviderState.Name(provider.state).removeprefix("PROVIDER_STATE_").lower()
            if state != seen:
                seen = state
                _print(models=state, detail=provider.state_detail)
            if provider.state in {PROVIDER_STATE_READY, PROVIDER_STATE_UNAVAILABLE}:
                return
            await asyncio.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]), signal.SIGKILL)
    asyncio.run(hello(sys.argv[1]))
