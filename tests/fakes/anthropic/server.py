"""Anthropic's API, served: messages, tokens counted, models listed in pages, and refusals as strict as its own."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.anthropic import form
from tests.fakes.anthropic.check import Bad, check
from tests.fakes.provider import Asked, FakeProvider, Reply
from tests.fakes.provider.server import Form

LATER = "claude-opus-4-8"
"""A model that decides itself how much to think."""

EARLIER = "claude-sonnet-4-5-20250929"
"""A model that is given a budget for it."""

_CONTEXT = 200_000


class _Messages:
    """The form: `context` words may be asked."""

    def __init__(self, fake: "FakeAnthropic") -> None:
        self._fake = fake

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse what the API refuses."""
        return self._fake.refused(request)

    def chat(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say what is asked."""
        return form.chat(request)

    def whole(self, reply: Reply, request: Mapping[str, Any]) -> bytes:
        """Write a message."""
        return form.whole(reply, request)

    def events(self, reply: Reply, request: Mapping[str, Any]) -> Iterator[bytes]:
        """Write its events."""
        return form.events(reply, request)


@dataclass
class FakeAnthropic(FakeProvider):
    """Serves one model of either kind. `page`: how many models a page of its list has at most."""

    models: tuple[str, ...] = (LATER, EARLIER, "claude-haiku-4-5-20251001")
    page: int = 2
    told_capabilities: bool = True
    forms: Mapping[str, Form] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.forms = {"/v1/messages": _Messages(self)}

    @property
    def origin(self) -> str:
        """The base address as Anthropic's own client has it: without a version."""
        return self.base_url.removesuffix("/v1")

    def admit(self, asked: Asked) -> Reply | None:
        """Refuse a request without the key, or without the version of the API that it means."""
        if self.key and asked.headers.get("x-api-key") != self.key:
            return form.failed(401, f"invalid x-api-key {asked.headers.get('x-api-key', '')}")
        if "anthropic-version" not in asked.headers:
            return form.failed(400, "anthropic-version: header is required")
        return None

    def own(self, asked: Asked) -> tuple[int, Any] | None:
        """List models, and count tokens."""
        parts = urlsplit(asked.path)
        if parts.path == "/v1/models":
            return self._list(parse_qs(parts.query))
        if parts.path != "/v1/messages/count_tokens":
            return None
        if (refused := self.refused(asked.body, counted=True)) and refused.raw:
            return refused.status, json.loads(refused.raw)
        return 200, {"input_tokens": len(json.dumps(asked.body["messages"]).split())}

    def refused(self, request: Mapping[str, Any], *, counted: bool = False) -> Reply | None:
        """Refuse a request that is wrong, of a model that is not there, or too long."""
        if request.get("model") not in self.models:
            return form.failed(404, f"model: {request.get('model')}")
        try:
            check(request, later=request["model"] == LATER, counted=counted)
        except Bad as error:
            return form.failed(400, str(error))
        said = len(json.dumps(request["messages"]).split())
        if said > self.context_words:
            return form.failed(400, f"prompt is too long: {said} tokens > {self.context_words} maximum")
        return None

    def _list(self, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        if not self.lists_models:
            return 404, form.error(404, "Not found")
        after = query.get("after_id", [""])[0]
        start = self.models.index(after) + 1 if after else 0
        most = min(int(query.get("limit", ["20"])[0]), self.page)
        names = self.models[start : start + most]
        return 200, {
            "data": [self._told(name) for name in names],
            "has_more": start + most < len(self.models),
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }

    def _told(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        if not self.told_capabilities:
            return row
        yes = {"supported": True}
        able = {"image_input": yes, "structured_outputs": yes, "thinking": {**yes, "types": {"adaptive": yes}}}
        return {**row, "max_input_tokens": _CONTEXT, "max_tokens": 64_000, "capabilities": able}
