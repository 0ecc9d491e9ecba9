"""vLLM: what it tells of its models, beside OpenAI's form."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.model import Health, Profile, State
from router.providers.manner import READY, Fact, Plain, guess
from router.providers.reader import Reader, part, tokens
from router.providers.shape import Body, common_effort, plain_roles, templated_effort, without

_DEAD = 503
_TEMPLATED = ("messages", "tools", "chat_template_kwargs", "chat_template", "add_generation_prompt")


class VLLM(Plain):
    """Its list says what a request may have; for the rest it depends on how it was started, which it does not tell."""

    refresh_seconds = 60.0

    def shape(self, body: Body) -> Body:
        """Use the words that it knows; it refuses efforts but low, medium and high, and `none` is for the template."""
        body = templated_effort(common_effort(plain_roles(body)))
        return without(body, "reasoning_effort") if body.get("reasoning_effort") == "none" else body

    async def health(self, reader: Reader) -> Health:
        """Ask whether its engine runs: its door answers without it, too."""
        if await reader.status("/health") == _DEAD:
            return Health(State.UNAVAILABLE, "its engine does not run")
        return READY

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Read its list. An adapter has the context of the model that it is for."""
        del reader, names
        own = {str(row.get("id")): tokens(row.get("max_model_len")) for row in listed}
        return {str(row.get("id")): Fact(profile(row, own)) for row in listed}

    async def count(self, reader: Reader, body: Mapping[str, Any], model: str) -> int | None:
        """Have its tokenizer count."""
        asked = {name: body[name] for name in _TEMPLATED if name in body}
        return tokens(part(await reader.own("/tokenize", {"model": model, **asked})).get("count")) or None


def profile(row: Mapping[str, Any], own: Mapping[str, int]) -> Profile:
    """Read a row of `/v1/models`; `own` are the contexts that rows have themselves."""
    name = str(row.get("id"))
    guessed = guess(name)
    context = own.get(name) or own.get(str(row.get("parent")), 0)
    schema = True if guessed.chat else None  # it constrains what any model writes
    return Profile(context, chat=guessed.chat, embeddings=guessed.embeddings, json_schema=schema)
