"""What a caller asks of a model, parsed once at the door."""

import json
from dataclasses import dataclass
from typing import Any

from router.refusal import Refusal, bad_request

CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"


@dataclass(frozen=True)
class Ask:
    """A call: `endpoint` is CHAT or EMBEDDINGS, `model` a public name without `models/`, `body` the whole request."""

    endpoint: str
    model: str
    body: dict[str, Any]
    size: int
    stream: bool
    include_usage: bool

    def upstream(self, model: str) -> bytes:
        """Write the request for a provider: its own name of the model, and usage asked for in every stream."""
        body = {**self.body, "model": model}
        if self.stream:
            body["stream_options"] = {**(self.body.get("stream_options") or {}), "include_usage": True}
        return json.dumps(body, separators=(",", ":")).encode()


def parse(endpoint: str, raw: bytes) -> Ask:
    """Read a request's body. Raises Refusal, which says what is wrong with it."""
    body = _decode(raw)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise bad_request("model must be the name of a model; `default` is one", "model")
    stream = body.get("stream", False)
    if not isinstance(stream, bool | None):
        raise bad_request("stream must be true or false", "stream")
    if stream and endpoint != CHAT:
        raise bad_request("only chat is streamed", "stream")
    options = body.get("stream_options")
    if not isinstance(options, dict | None):
        raise bad_request("stream_options must be an object", "stream_options")
    if endpoint == CHAT:
        _check_messages(body.get("messages"))
    elif not body.get("input"):
        raise bad_request("input must be a text or a list of texts", "input")
    include_usage = bool((options or {}).get("include_usage"))
    return Ask(endpoint, model.removeprefix("models/"), body, len(raw), bool(stream), include_usage)


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise bad_request(f"the body is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise bad_request("the body is nested too deeply") from error
    except ValueError as error:
        raise bad_request(f"the body is not JSON: {_where(error)}") from error
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    return body


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _where(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return "a number is out of bounds"


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages must be a list of at least one message", "messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise bad_request(f"messages[{index}] must be an object with a role", "messages")


__all__ = ["CHAT", "EMBEDDINGS", "Ask", "Refusal", "parse"]
