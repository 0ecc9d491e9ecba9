"""Ollama: what it tells of its models, beside OpenAI's form."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from router.model import Profile
from router.providers.manner import Fact, Plain, guess
from router.providers.reader import Reader, part, rows, texts, tokens
from router.providers.shape import Body, common_effort, limited, plain_roles, thoughts_as

_AT_ONCE = 4
_MOST_DETAILS = 500
_CONTEXT = re.compile(r"^\s*num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)


class Ollama(Plain):
    """Asks for the details of each model once, and again when its digest is another one."""

    refresh_seconds = 60.0  # models come and go, and are loaded with another context

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}

    def shape(self, body: Body) -> Body:
        """Use the words that it knows; what it does not know it drops in silence, a bound of the answer among it."""
        return common_effort(plain_roles(thoughts_as(limited(body), "reasoning")))

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Ask for digests, for what is loaded, and for the details of each model, four at a time."""
        del listed
        tags = rows(await reader.own("/api/tags"), "models")
        digests = {_full(row.get("name")): str(row.get("digest") or "") for row in tags}
        loaded = {_full(row.get("name")): row for row in rows(await reader.own("/api/ps"), "models")}
        wanted = [(name, digests.get(_full(name), "")) for name in names[:_MOST_DETAILS]]
        await self._ask(reader, wanted)
        self._known = {key: shown for key, shown in self._known.items() if key in set(wanted)}
        return {
            name: Fact(profile(name, self._known[name, digest], loaded.get(_full(name), {})), digest)
            for name, digest in wanted
            if (name, digest) in self._known
        }

    async def _ask(self, reader: Reader, wanted: Sequence[tuple[str, str]]) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def show(name: str, digest: str) -> None:
            async with slots:
                shown = await reader.own("/api/show", {"model": name})
            if isinstance(shown, Mapping):
                kept = ("capabilities", "parameters", "model_info", "remote_host")
                self._known[name, digest] = {key: shown[key] for key in kept if key in shown}

        async with asyncio.TaskGroup() as group:
            for name, digest in wanted:
                if (name, digest) not in self._known or not digest:
                    group.create_task(show(name, digest))


def profile(name: str, shown: Mapping[str, Any], loaded: Mapping[str, Any]) -> Profile:
    """Read what `/api/show` and, where it is loaded, `/api/ps` say of a model.

    The context that it is served with is that of its Modelfile, else that which it is loaded with: Ollama's own default
    is not told, may be a small part of what the model could take, and what is beyond it is cut off in silence. Versions
    before 0.6.4 tell no capabilities.
    """
    model_tokens = _trained(shown)
    set_tokens = _CONTEXT.search(str(shown.get("parameters") or ""))
    served = int(set_tokens[1]) if set_tokens else tokens(loaded.get("context_length"))
    able = texts(shown.get("capabilities"))
    if not able:
        return Profile(served, chat=guess(name).chat, embeddings=guess(name).embeddings, model_tokens=model_tokens)
    chats = "completion" in able
    tools = "tools" in able
    return Profile(
        served,
        tool_choice="NATIVE" if tools or not chats else "EMBEDDING",
        chat=chats,
        embeddings="embedding" in able,
        tools=tools,
        images="vision" in able,
        # it constrains what it runs itself, and does not say it of what it passes on to a host elsewhere
        json_schema=None if shown.get("remote_host") and chats else chats,
        reasoning="thinking" in able,
        model_tokens=model_tokens,
    )


def _trained(shown: Mapping[str, Any]) -> int:
    """Give `{architecture}.context_length` of the weights' own description."""
    told = part(shown, "model_info")
    return tokens(told.get(f"{told.get('general.architecture')}.context_length"))


def _full(name: Any) -> str:
    """Give a name with its tag: `llama3` is `llama3:latest`."""
    text = str(name or "")
    return text if ":" in text.rpartition("/")[2] else f"{text}:latest"
