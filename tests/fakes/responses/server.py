"""A provider that speaks the Responses API, and chat for embeddings' sake only."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.provider import Asked, FakeProvider, Reply
from tests.fakes.provider.server import Form
from tests.fakes.responses import output
from tests.fakes.responses.strict import Strict


class Responses:
    """The form: what is refused, what is asked, and how it is answered."""

    def __init__(self, models: tuple[str, ...]) -> None:
        self._strict = Strict(models)

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse what the API refuses, with the field that is wrong."""
        return self._strict.check(request)

    def chat(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give what it asks, in chat's words."""
        given = request["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        text_format = (request.get("text") or {}).get("format") or {}
        asked: dict[str, Any] = {"messages": [_message(item) for item in items], "tools": request.get("tools")}
        if request.get("max_output_tokens"):
            asked["max_tokens"] = request["max_output_tokens"]
        if text_format.get("type") == "json_schema":
            asked["response_format"] = {"type": "json_schema", "json_schema": text_format}
        return asked

    def whole(self, reply: Reply, request: Mapping[str, Any]) -> bytes:
        """Write an answer."""
        return json.dumps(output.whole(reply, request)).encode()

    def events(self, reply: Reply, request: Mapping[str, Any]) -> Iterator[bytes]:
        """Write a streamed answer."""
        return output.events(reply, request)


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = item.get("type", "message")
    if kind.endswith("_output"):
        return {"role": "tool", "content": _content(item["output"])}
    return {"role": item.get("role", "assistant"), "content": _content(item.get("content") or "")}


def _content(given: Any) -> Any:
    if isinstance(given, str):
        return given
    return [{"type": "text", "text": part.get("text", "")} for part in given]


@dataclass
class FakeResponses(FakeProvider):
    """Serves `POST /v1/responses` strictly; chat completions are not there, embeddings and models are."""

    forms: Mapping[str, Form] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Serve the form's path, and none of chat's."""
        self.forms = {"/v1/responses": Responses(self.models)}

    def own(self, asked: Asked) -> tuple[int, Any] | None:
        """Say that it does not chat in the older form."""
        if asked.path == "/v1/chat/completions":
            return 404, {"error": {"message": "This model is only supported in v1/responses."}}
        return None

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse what is longer than the context."""
        if len(json.dumps(request["messages"]).split()) > self.context_words:
            message = "Your input exceeds the context window of this model. Please adjust your input and try again."
            return Reply(status=400, error={"message": message, "code": "context_length_exceeded", "param": "input"})
        return None
