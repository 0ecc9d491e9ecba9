"""A server of which nobody said which it is, as one of the environment: it is asked, and then treated as that."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from router.model import Health
from router.price import UNKNOWN, Price
from router.providers.detect import kind, public, tells
from router.providers.llamacpp import LlamaCpp
from router.providers.lmstudio import LMStudio
from router.providers.manner import READY, Fact, Manner, Plain
from router.providers.ollama import Ollama
from router.providers.openrouter import OpenRouter
from router.providers.reader import Reader
from router.providers.shape import Body
from router.providers.vllm import VLLM

_MANNERS: Mapping[str, Callable[[], Manner]] = {
    "OLLAMA": Ollama,
    "LMSTUDIO": LMStudio,
    "LLAMACPP": LlamaCpp,
    "VLLM": VLLM,
    "OPENROUTER": OpenRouter,
}


class Unsaid:
    """Any server until it is known which, which is when its list was read for the first time."""

    def __init__(self) -> None:
        self._kind = ""
        self._as: Manner = Plain()

    @property
    def refresh_seconds(self) -> float:
        """How long what it told is good for."""
        return self._as.refresh_seconds

    @property
    def price(self) -> Price:
        """What is known of the price of any model of it."""
        return self._as.price if self._kind else UNKNOWN

    def shape(self, body: Body) -> Body:
        """Put a chat request in its way, once that is known."""
        return self._as.shape(body)

    async def health(self, reader: Reader) -> Health:
        """Say whether it can be asked, too."""
        return await self._as.health(reader) if self._kind else READY

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Find out which server it is, again where that is another one now, and about its models as it tells them."""
        found = public(reader.target.base_url) or kind(await tells(reader, listed))
        if found in _MANNERS and found != self._kind:  # one that does not answer now is still what it was
            self._kind = found
            self._as = _MANNERS[found]()
        return await self._as.facts(reader, listed, names)

    async def count(self, reader: Reader, body: Mapping[str, Any], model: str) -> int | None:
        """Count as it does, once it is known."""
        return await self._as.count(reader, body, model)
