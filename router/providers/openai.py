"""Any endpoint that speaks OpenAI's chat completions, in the manner of its kind."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from router.ask import CHAT, Ask
from router.gate import Gate
from router.model import Health, Model, Spec, State, digest
from router.providers.contract import Parts
from router.providers.manner import Fact, Manner, Plain, guess, usable
from router.providers.reader import Reader, ask, parsed
from router.providers.shape import refuses_usage
from router.refusal import provider_unavailable
from router.route import Offer
from router.wire import Request, Target, WireError

_CHECK_SECONDS = 10.0
_FIRST_RETRY_SECONDS = 5.0
_LAST_RETRY_SECONDS = 60.0
_LOADING_SECONDS = 0.5
_MAX_MODELS = 5000


class OpenAI:
    """Offers the models that it was set up with, else those that the endpoint lists, else, while it lists none, any."""

    def __init__(self, spec: Spec, parts: Parts, manner: Callable[[], Manner] = Plain) -> None:
        self._spec = spec
        self._wire = parts.wire
        self._redactor = parts.redactor
        self._log = parts.log
        self._manner = manner()
        self._health = Health(State.UNAVAILABLE, spec.trouble) if spec.trouble else Health()
        self._listed: tuple[str, ...] = ()
        self._facts: Mapping[str, Fact] = {}
        self._models: dict[str, Model] = {}
        self._target = Target(spec.base_url.rstrip("/"), spec.key)
        options = parts.options
        self._gate = Gate(f"provider {spec.id}", concurrency=options.concurrency, queue=options.queue)
        self._task: asyncio.Task[None] | None = None
        self._silent = False  # it refuses to be asked for the usage of streams
        self._checked = asyncio.Condition()
        self._asking = asyncio.Lock()  # two who ask for the same details at once would ask for all of them twice

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
        """Describe a model: as the endpoint does, else from its name."""
        found = self._models.get(upstream)
        if found is None:
            if len(self._models) >= _MAX_MODELS:
                self._models.clear()
            found = self._models[upstream] = self._described(upstream)
        return found

    async def start(self) -> None:
        """Keep what is known of its models fresh."""
        if self._spec.trouble:
            return
        self._task = asyncio.create_task(self._refresh())

    async def check(self) -> Health:
        """Ask for the models, and what can be known of them."""
        if self._spec.trouble:
            return self._health
        try:
            async with asyncio.timeout(_CHECK_SECONDS), self._asking:
                listed = await self._list()
        except TimeoutError:
            listed = Health(State.UNAVAILABLE, f"no answer in {_CHECK_SECONDS:g} s")
        except WireError as error:
            listed = Health(State.UNAVAILABLE, self._redactor.text(str(error)))
        await self._became(listed)
        return listed

    async def target(self, ask: Ask, upstream: str, wait_seconds: float) -> tuple[Target, Gate]:
        """Say where calls go, once it has loaded; a provider that did not answer before is asked again."""
        del ask, upstream  # it takes whatever its endpoint takes
        if self._spec.trouble:
            raise provider_unavailable(self._spec.trouble)
        if self._health.state is State.STARTING:
            await self._loaded(wait_seconds)
        return self._target, self._gate

    async def count(self, ask: Ask, upstream: str) -> int | None:
        """Count the tokens of a chat request as the model does; None where the endpoint cannot say."""
        if ask.endpoint != CHAT or self._spec.trouble:
            return None
        return await self._manner.count(Reader(self._wire, self._target), ask.body, upstream)

    def shaped(self, ask: Ask) -> Ask:
        """Put a call in the endpoint's own way; the same one where nothing has to be changed."""
        if ask.endpoint != CHAT:
            return ask
        body = self._manner.shape(ask.body)
        if body is not ask.body:
            ask = replace(ask, body=body)
        # What a caller asks for itself is left to it.
        return replace(ask, silent=True) if self._silent and ask.stream and "stream_options" not in ask.body else ask

    def learns(self, status: int, body: bytes) -> bool:
        """Take note of a refusal; say whether the same call, shaped anew, may be taken."""
        if not refuses_usage(status, body):
            return False
        if not self._silent:
            self._silent = True
            self._log.info("provider_tells_no_usage", provider=self._spec.id)
        return True

    async def recovered(self) -> bool:
        """Say no: what broke may have been charged."""
        return False

    def observe(self, health: Health) -> None:
        """Take note of how a call went."""
        if not self._spec.trouble and health != self._health:
            self._health = health
            self._models.clear()

    async def aclose(self) -> None:
        """Stop asking."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _refresh(self) -> None:
        retry = _FIRST_RETRY_SECONDS
        known: State | None = None
        while True:
            health = await self.check()
            if health.state is not known:
                known = health.state
                self._log.info("provider_checked", provider=self._spec.id, state=known.name)
            if health.state is State.READY:
                retry = _FIRST_RETRY_SECONDS
                await asyncio.sleep(self._manner.refresh_seconds)
            elif health.state is State.STARTING:
                await asyncio.sleep(_LOADING_SECONDS)
            else:
                await asyncio.sleep(retry)
                retry = min(retry * 2, _LAST_RETRY_SECONDS)

    async def _list(self) -> Health:
        said = await ask(self._wire, self._target, Request("/models"))
        if not said.whole:
            return Health(State.UNAVAILABLE, "its list of models is larger than 4 MiB")
        if said.status in (401, 403):
            return Health(State.UNAVAILABLE, f"it refused the key ({said.status})" if self._spec.key else
                          f"it wants a key ({said.status})")  # fmt: skip
        if said.status in (404, 405, 501):
            return await self._learn([], Health(State.READY, "it lists no models"))
        if said.status != 200:  # noqa: PLR2004 - HTTP's OK
            return Health(State.UNAVAILABLE, f"it answered {said.status} when asked for its models")
        listed = models(said.body)
        if listed is None:
            return Health(State.UNAVAILABLE, "its list of models is not in OpenAI's form; does base_url end in /v1?")
        self._listed = tuple(sorted(row["id"] for row in listed))
        return await self._learn(listed, Health(State.READY))

    async def _learn(self, listed: list[dict[str, Any]], ready: Health) -> Health:
        """Ask what is particular to its kind. Where a question got no answer, all is as it was before."""
        health = ready
        reader = Reader(self._wire, self._target)
        try:
            async with asyncio.timeout(_CHECK_SECONDS / 2):
                found = await self._manner.health(reader)
                health = ready if found.state is State.READY else found
                names = tuple(dict.fromkeys((*self._spec.models, *self._listed)))
                facts = await self._manner.facts(reader, listed, names)
                self._facts = self._facts if reader.missed and self._facts else facts
        except TimeoutError:
            self._log.warning("provider_details_late", provider=self._spec.id)
        return health

    async def _became(self, health: Health) -> None:
        async with self._checked:
            self._health = health
            self._models.clear()
            self._checked.notify_all()

    async def _loaded(self, wait_seconds: float) -> None:
        """Wait for a server that loads its model. Raises Refusal (503)."""
        try:
            async with asyncio.timeout(wait_seconds), self._checked:
                await self._checked.wait_for(lambda: self._health.state is not State.STARTING)
        except TimeoutError as error:
            raise provider_unavailable(f"provider {self._spec.id} is not there: {self._health.detail}") from error

    def _described(self, upstream: str) -> Model:
        fact = self._facts.get(upstream)
        guessed = guess(upstream)
        known = fact or Fact(guessed, price=self._manner.price)
        return Model(
            f"{self._spec.id}/{upstream}",
            self._spec.id,
            upstream,
            known.profile,
            digest(self._spec, upstream, guessed, known.weights),
            self._health,
            known.price,
        )


def models(body: bytes) -> list[dict[str, Any]] | None:
    """Read a list of models in OpenAI's form: the rows whose names can be used, each once; None for another form."""
    value = parsed(body)
    listed = value.get("data") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return None
    rows = [row for row in listed[:_MAX_MODELS] if isinstance(row, dict)]
    if len(rows) < len(listed[:_MAX_MODELS]) or not all("id" in row for row in rows):
        return None
    return list({row["id"]: row for row in rows if usable(row["id"])}.values())
