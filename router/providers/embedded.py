"""The embedded models: a child process of the router behind two unix sockets."""

from router.ask import CHAT, Ask
from router.gate import Gate
from router.model import Health, Model, Profile, Spec, State, digest
from router.providers.contract import Parts
from router.providers.llamacpp import LlamaCpp
from router.providers.reader import Reader
from router.refusal import bad_request, provider_unavailable
from router.route import Offer
from router.wire import Target

_CHECK_SECONDS = 10.0
_BASE_URL = "http://embedded/v1"
_PARTS = ("chat", "embeddings")
E5 = "e5"
_E5_PROFILE = Profile(
    context_tokens=512, chat=False, embeddings=True, tools=False, images=False, json_schema=False, reasoning=False
)
_EMBEDDING_CALLS = 8


class Embedded:
    """Offers `smollm2`, a demonstration model, or the weights that were configured, and `e5` for embeddings."""

    def __init__(self, spec: Spec, parts: Parts) -> None:
        self._spec = spec
        self._options = parts.options
        if parts.child is None:
            raise ValueError("the embedded provider needs its child")
        self._child = parts.child
        plan = self._child.plan
        self._models = {plan.name: "chat", E5: "embeddings"}
        queue = parts.options.queue
        self._targets = {
            "chat": (
                Target(_BASE_URL, socket=plan.chat_socket),
                Gate("the embedded chat model", concurrency=plan.slots, queue=queue),
            ),
            "embeddings": (
                Target(_BASE_URL, socket=plan.embeddings_socket),
                Gate("the embedded embedding model", concurrency=_EMBEDDING_CALLS, queue=queue),
            ),
        }

        self._wire = parts.wire

    @property
    def spec(self) -> Spec:
        """How it was set up."""
        return self._spec

    @property
    def health(self) -> Health:
        """How it is: as its worse part."""
        parts = [self._child.health(part) for part in _PARTS]
        return next((health for health in parts if health.state is not State.READY), parts[0])

    @property
    def pid(self) -> int | None:
        """Of the child that runs now."""
        return self._child.pid

    def offer(self) -> Offer:
        """Say which models can be named; the chat model first."""
        return Offer(self._spec.id, tuple(self._models))

    def model(self, upstream: str) -> Model:
        """Describe a model."""
        part = self._models[upstream]
        profile = self._chat_profile() if part == "chat" else _E5_PROFILE
        name = f"{self._spec.id}/{upstream}"
        identity = digest(self._spec, upstream, profile, self._child.sha256(part))
        return Model(name, self._spec.id, upstream, profile, identity, self._child.health(part))

    async def start(self) -> None:
        """Do nothing: the child was started before all else, for it takes longest."""

    async def check(self) -> Health:
        """Say how it is; where a part is unavailable, try again first."""
        self._child.mend()
        for part in _PARTS:
            await self._child.settled(part, _CHECK_SECONDS / len(_PARTS))
        return self.health

    async def target(self, ask: Ask, upstream: str, wait_seconds: float) -> tuple[Target, Gate]:
        """Say which socket takes the call, once its part has loaded."""
        part = self._models[upstream]
        if (part == "chat") != (ask.endpoint == CHAT):
            raise bad_request(f"{self._spec.id}/{upstream} answers {part} requests only", "model")
        if ask.body.get("tools") and self.model(upstream).profile.tool_choice != "NATIVE":
            message = f"{self._spec.id}/{upstream} cannot call tools: its profile says that the caller must choose them"
            raise bad_request(message, "tools")
        health = await self._child.settled(part, wait_seconds)
        if health.state is not State.READY:
            raise provider_unavailable(f"the embedded model is not there: {health.detail}")
        return self._targets[part]

    async def count(self, ask: Ask, upstream: str) -> int | None:
        """Count the tokens of a chat request as the model does; None while it is not there."""
        if ask.endpoint != CHAT or self._models.get(upstream) != "chat":
            return None
        if self._child.health("chat").state is not State.READY:
            return None
        return await LlamaCpp().count(Reader(self._wire, self._targets["chat"][0]), ask.body, upstream)

    async def recovered(self) -> bool:
        """Say yes if the child had died: the next one takes the call."""
        return await self._child.died()

    def observe(self, health: Health) -> None:
        """Learn nothing from calls: the child's own reports say how it is."""

    async def aclose(self) -> None:
        """Do nothing: the child ends with the router."""

    def _chat_profile(self) -> Profile:
        options = self._options
        return Profile(
            context_tokens=options.embedded_context_tokens,
            tool_choice="NATIVE" if options.embedded_tools else "EMBEDDING",
            demonstration=not options.embedded_gguf,
            embeddings=False,
            tools=options.embedded_tools,
            images=False,
            json_schema=True,
            reasoning=None if options.embedded_gguf else False,
        )
