"""Any endpoint that speaks OpenAI's form."""

import asyncio
import json

from router.ask import Ask
from router.gate import Gate
from router.model import Health, Model, Profile, Spec, State, digest
from router.providers.contract import Parts
from router.redact import redact
from router.refusal import provider_unavailable
from router.route import Offer
from router.wire import Request, Target, WireError

_CHECK_SECONDS = 10.0
_REFRESH_SECONDS = 600.0
_FIRST_RETRY_SECONDS = 5.0
_LAST_RETRY_SECONDS = 60.0
_MAX_LIST_BYTES = 4 << 20
_MAX_MODELS = 5000


class OpenAI:
    """Offers the models that it was set up with, else those that the endpoint lists, else, while it lists none, any."""

    def __init__(self, spec: Spec, parts: Parts) -> None:
        self._spec = spec
        self._wire = parts.wire
        self._log = parts.log
        self._health = Health(State.UNAVAILABLE, spec.trouble) if spec.trouble else Health()
        self._listed: tuple[str, ...] = ()
        self._target = Target(spec.base_url.rstrip("/"), spec.key)
        options = parts.options
        self._gate = Gate(f"provider {spec.id}", concurrency=options.concurrency, queue=options.queue)
        self._task: asyncio.Task[None] | None = None

    @property
    def spec(self) -> Spec:
        """How it was set up."""
        return self._spec

    @property
    def health(self) -> Health:
        """How the last question went."""
        return self._health

    def offer(self) -> Offer:
        """Say which models can be named."""
        models = self._spec.models or self._listed
        return Offer(self._spec.id, models, open=not models)

    def model(self, upstream: str) -> Model:
        """Describe a model, from its name: endpoints say no more."""
        embeds = "embed" in upstream.lower()
        profile = Profile(chat=not embeds, embeddings=embeds)
        name = f"{self._spec.id}/{upstream}"
        return Model(name, self._spec.id, upstream, profile, digest(self._spec, upstream, profile, ""), self._health)

    async def start(self) -> None:
        """Keep the list of models fresh."""
        if self._spec.trouble:
            return
        self._task = asyncio.create_task(self._refresh())

    async def check(self) -> Health:
        """Ask for the models."""
        if self._spec.trouble:
            return self._health
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                self._health = await self._list()
        except TimeoutError:
            self._health = Health(State.UNAVAILABLE, f"no answer in {_CHECK_SECONDS:g} s")
        except WireError as error:
            self._health = Health(State.UNAVAILABLE, self._clean(str(error)))
        return self._health

    async def target(self, ask: Ask, upstream: str, wait_seconds: float) -> tuple[Target, Gate]:
        """Say where calls go; a provider that did not answer before is asked again."""
        del ask, upstream, wait_seconds  # it takes whatever its endpoint takes
        if self._spec.trouble:
            raise provider_unavailable(self._spec.trouble)
        return self._target, self._gate

    async def recovered(self) -> bool:
        """Say no: what broke may have been charged."""
        return False

    def observe(self, health: Health) -> None:
        """Take note of how a call went."""
        if not self._spec.trouble:
            self._health = health

    async def aclose(self) -> None:
        """Stop asking."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _refresh(self) -> None:
        retry = _FIRST_RETRY_SECONDS
        while True:
            health = await self.check()
            self._log.info("provider_checked", provider=self._spec.id, state=health.state.name)
            if health.state is State.READY:
                retry = _FIRST_RETRY_SECONDS
                await asyncio.sleep(_REFRESH_SECONDS)
            else:
                await asyncio.sleep(retry)
                retry = min(retry * 2, _LAST_RETRY_SECONDS)

    async def _list(self) -> Health:
        answer = await self._wire.open(self._target, Request("/models"))
        try:
            body = bytearray()
            while piece := await answer.read():
                body += piece
                if len(body) > _MAX_LIST_BYTES:
                    return Health(State.UNAVAILABLE, f"its list of models is larger than {_MAX_LIST_BYTES} bytes")
        finally:
            await answer.aclose()
        if answer.status in (401, 403):
            return Health(State.UNAVAILABLE, f"it refused the key ({answer.status})" if self._spec.key else
                          f"it wants a key ({answer.status})")  # fmt: skip
        if answer.status in (404, 405, 501):
            return Health(State.READY, "it lists no models")
        if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
            return Health(State.UNAVAILABLE, f"it answered {answer.status} when asked for its models")
        names = _names(bytes(body))
        if names is None:
            return Health(State.UNAVAILABLE, "its list of models is not in OpenAI's form; does base_url end in /v1?")
        self._listed = names
        return Health(State.READY)

    def _clean(self, text: str) -> str:
        return redact(text.encode(), self._spec.key).decode(errors="replace")


def _names(body: bytes) -> tuple[str, ...] | None:
    try:
        listed = json.loads(body)["data"]
        names = {str(item["id"]) for item in listed[:_MAX_MODELS]}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return tuple(sorted(name for name in names if 0 < len(name) <= 200 and name.isprintable()))  # noqa: PLR2004
