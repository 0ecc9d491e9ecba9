"""What a caller asks of a model, parsed once at the door."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from router.observe.trace import Trace
from router.refusal import Refusal, bad_request

CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"
LIMITS = ("max_completion_tokens", "max_tokens")
"""What bounds an answer's tokens in the neutral form; the first is OpenAI's newer word for it."""
LARGE_BYTES = 256 << 10
"""A body beyond this is read, or looked through, in a thread, so that others are not held up."""


@dataclass(frozen=True)
class Ask:
    """A call: `endpoint` is CHAT or EMBEDDINGS, `model` a public name without `models/`, `body` the whole request.

    `body` is neutral: OpenAI's chat completions. `face` is the form in which it was asked, and `native` the body in
    that form where it is another one; `limit` names the field of that form which bounds the answer's tokens.

    `only` is what it is refused with where its provider speaks another form: it asks for what the neutral form cannot
    say. `unbounded`: part of its input lies elsewhere, at its provider or behind an address, so that its size says
    nothing of how much is read. `headers` of the caller's go on to a provider of the same form, by lower-case name.
    `trace` is where its caller is in a trace, if that said so. `silent`: its stream is not asked for its usage, which
    is estimated then.
    """

    endpoint: str
    model: str
    body: dict[str, Any]
    size: int
    stream: bool
    include_usage: bool
    face: str = "chat"
    native: dict[str, Any] | None = None
    limit: str = ""
    only: Refusal | None = None
    unbounded: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    trace: Trace | None = None
    silent: bool = False

    def limited(self, field: str, tokens: int) -> "Ask":
        """Give it with a bound of the answer's tokens, in place of any other; `field` is the provider's word for it."""
        body = {key: value for key, value in self.body.items() if key not in LIMITS}
        native = self.native
        if native is not None and self.limit:
            native = {**native, self.limit: tokens}
        return replace(self, body={**body, field: tokens}, native=native)

    def upstream(self, model: str) -> bytes:
        """Write the request for a provider: its own name of the model, and usage asked for in a stream."""
        body = {**self.body, "model": model}
        if self.stream and not self.silent:
            body["stream_options"] = {**(self.body.get("stream_options") or {}), "include_usage": True}
        return encode(body)


def parse(endpoint: str, raw: bytes) -> Ask:
    """Read a request's body in the neutral form. Raises Refusal, which says what is wrong with it."""
    body = decode(raw)
    model, stream = head(body)
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
    unbounded = endpoint == CHAT and _has_files(body["messages"])
    return Ask(endpoint, model, body, len(raw), stream, include_usage, unbounded=unbounded)


def head(body: Mapping[str, Any], mark: str = "") -> tuple[str, bool]:
    """Read what all forms have alike: the model's name, without `models/`, and whether a stream is asked for.

    `mark` follows a field's name in an error, for forms that write it so. Raises Refusal.
    """
    model, stream = body.get("model"), body.get("stream")
    if not isinstance(model, str) or not model:
        raise bad_request(f"model{mark} must be the name of a model; `default` is one", "model")
    if not isinstance(stream, bool | None):
        raise bad_request(f"stream{mark} must be true or false", "stream")
    return model.removeprefix("models/"), bool(stream)


def decode(raw: bytes) -> dict[str, Any]:
    """Read a body that must be a JSON object. Raises Refusal."""
    try:
        body = _decode(raw.decode())
    except UnicodeDecodeError as error:
        raise bad_request(f"the body is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise bad_request("the body is nested too deeply") from error
    except ValueError as error:
        raise bad_request(f"the body is not JSON: {_where(error)}") from error
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    return body


def encode(body: Mapping[str, Any]) -> bytes:
    """Write a body."""
    return _encode(body).encode()


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


def _has_files(messages: list[dict[str, Any]]) -> bool:
    """Whether there is a part that is a document, whose pages may be many and whose bytes few, or elsewhere."""
    for message in messages:
        content = message.get("content")
        if isinstance(content, list) and any(isinstance(part, dict) and part.get("type") == "file" for part in content):
            return True
    return False


_decode = json.JSONDecoder(parse_constant=_no_constant).decode  # to make one takes as long as to read a small body
_encode = json.JSONEncoder(separators=(",", ":")).encode
