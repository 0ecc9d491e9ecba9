"""llama.cpp's server: what it tells of its model, beside OpenAI's form."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.model import Health, Profile, State
from router.providers.manner import READY, Fact, Plain, guess
from router.providers.reader import Reader, part, texts, tokens
from router.providers.shape import Body, limited, plain_roles, templated_effort, thoughts_as

_LOADING = 503
_THINKS = ("<think>", "enable_thinking", "reasoning_effort")
_TEMPLATED = ("messages", "tools", "tool_choice", "response_format", "chat_template_kwargs", "reasoning_effort")


class LlamaCpp(Plain):
    """Asks for its properties. It lists its model already while that is loading."""

    refresh_seconds = 60.0

    def shape(self, body: Body) -> Body:
        """Use the words that all its versions know."""
        return templated_effort(plain_roles(thoughts_as(limited(body), "reasoning_content")))

    async def health(self, reader: Reader) -> Health:
        """Ask whether the model has loaded."""
        if await reader.status("/health") == _LOADING:
            return Health(State.STARTING, "it is loading its model")
        return READY

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Ask once: what it serves is one model. One that serves several tells less, in its list."""
        del names
        props = await reader.own("/props")
        one = props if len(listed) == 1 and isinstance(props, Mapping) else {}
        return {str(row.get("id")): Fact(profile(row, one)) for row in listed}

    async def count(self, reader: Reader, body: Mapping[str, Any], model: str) -> int | None:
        """Have the request counted; by older versions its text, as their template makes it, cut into tokens."""
        del model
        asked = {name: body[name] for name in _TEMPLATED if name in body}
        counted = tokens(part(await reader.common("/chat/completions/input_tokens", asked)).get("input_tokens"))
        if counted:
            return counted
        prompt = part(await reader.own("/apply-template", asked)).get("prompt")
        if not isinstance(prompt, str):
            return None
        question = {"content": prompt, "add_special": True, "parse_special": True}
        cut = part(await reader.own("/tokenize", question)).get("tokens")
        return len(cut) if isinstance(cut, list) else None


def profile(row: Mapping[str, Any], props: Mapping[str, Any]) -> Profile:
    """Read a row of `/v1/models` and, where there is one model, `/props`.

    `n_ctx` is what each slot has. Every model keeps to a schema, by a grammar. A template that knows no tools is given
    them in a generic form, which may or may not do. Whether it embeds is not told.
    """
    guessed = guess(str(row.get("id")))
    template = str(props.get("chat_template") or "")
    seen = part(props, "modalities").get("vision")
    reads = texts(part(row, "architecture").get("input_modalities"))
    images = seen if isinstance(seen, bool) else "image" in reads if reads else None
    told = part(row, "meta")
    return Profile(
        tokens(part(props, "default_generation_settings").get("n_ctx")) or tokens(told.get("n_ctx")),
        chat=guessed.chat,
        embeddings=guessed.embeddings,
        tools=True if part(props, "chat_template_caps").get("supports_tools") is True else None,
        images=images,
        json_schema=True if guessed.chat else None,
        reasoning=True if any(mark in template for mark in _THINKS) else None,
        model_tokens=tokens(told.get("n_ctx_train")),
    )
