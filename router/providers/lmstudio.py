"""LM Studio: what it tells of its models, beside OpenAI's form."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.model import Profile
from router.providers.manner import Fact, Plain
from router.providers.reader import Reader, part, rows, texts, tokens
from router.providers.shape import Body, limited, plain_roles, thoughts_as

_ANY = "json_object"
_OBJECT: Mapping[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "object", "schema": {"type": "object"}},
}


class LMStudio(Plain):
    """Asks its REST interface: v0, and v1 for versions that no longer have that."""

    refresh_seconds = 60.0

    def shape(self, body: Body) -> Body:
        """Use the words that it knows; of JSON it knows that with a schema only, so any object is asked for as one."""
        body = plain_roles(thoughts_as(limited(body), "reasoning_content"))
        form = body.get("response_format")
        return {**body, "response_format": _OBJECT} if isinstance(form, dict) and form.get("type") == _ANY else body

    async def facts(
        self, reader: Reader, listed: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> Mapping[str, Fact]:
        """Ask for the list that says more. Where there is neither, it answers 200 with an error, and tells nothing."""
        del listed, names
        if told := rows(await reader.own("/api/v0/models"), "data"):
            return {str(row.get("id")): Fact(profile(row)) for row in told if row.get("type")}
        newer = rows(await reader.own("/api/v1/models"), "models")
        return {str(row.get("key")): Fact(newer_profile(row)) for row in newer if row.get("type")}


def profile(row: Mapping[str, Any]) -> Profile:
    """Read a row of `/api/v0/models`. The loaded context is what a call has room for."""
    kind = row["type"]
    able = texts(row.get("capabilities")) or frozenset()
    return _profile(
        embeds=kind == "embeddings",
        images=kind == "vlm",
        tools="tool_use" in able,
        served=tokens(row.get("loaded_context_length")) if row.get("state") == "loaded" else 0,
        most=tokens(row.get("max_context_length")),
    )


def newer_profile(row: Mapping[str, Any]) -> Profile:
    """Read a row of `/api/v1/models`."""
    able = part(row, "capabilities")
    loaded = [tokens(part(each, "config").get("context_length")) for each in rows(row, "loaded_instances")]
    vision = able.get("vision")
    return _profile(
        embeds=row["type"] == "embedding",
        images=vision if isinstance(vision, bool) else None,
        tools=able.get("trained_for_tool_use") is True,
        served=min(loaded, default=0),
        most=tokens(row.get("max_context_length")),
    )


def _profile(*, embeds: bool, images: bool | None, tools: bool, served: int, most: int) -> Profile:
    """Put it together. Models that were not trained for tools are given them in a prompt: they may or may not do."""
    if embeds:
        return Profile(
            served, chat=False, embeddings=True, tools=False, images=False, json_schema=False, reasoning=False,
            model_tokens=most,
        )  # fmt: skip
    return Profile(
        served, embeddings=False, tools=True if tools else None, images=images, json_schema=True, model_tokens=most
    )
