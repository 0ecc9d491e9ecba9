"""OpenAI's chat completions and embeddings: the neutral form, and most providers' own."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from router.ask import Ask, parse
from router.dialects.contract import MESSAGES
from router.dialects.events import Garbage, parsed, payload, written
from router.refusal import Refusal, provider_error
from router.usage import Usage, estimate, of
from router.wire import Request

_DONE = b"data: [DONE]\n\n"
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_UNFINISHED = b'"finish_reason":null}]'
_TELLS = re.compile(rb'"(?:usage|error|timings)"\s*:\s*(?!null[\s,}])\S')
_QUOTED = 600  # characters of an error's message


class ChatFace:
    """What OpenAI's clients speak."""

    def parse(self, endpoint: str, raw: bytes) -> Ask:
        """Read a request's body. Raises Refusal."""
        return parse(endpoint, raw)

    def answer(self, ask: Ask, neutral: dict[str, Any]) -> dict[str, Any]:
        """Give an answer as it is."""
        del ask
        return neutral

    def writer(self, ask: Ask) -> "ChatWriter":
        """Begin to write a stream."""
        return ChatWriter(keep_usage=ask.include_usage)

    def refusal(self, refusal: Refusal) -> bytes:
        """Write an error."""
        return refusal.body()

    def broken(self, refusal: Refusal) -> bytes:
        """Write an error into a stream."""
        return refusal.event()


class ChatDialect:
    """What most providers speak."""

    def request(self, ask: Ask, model: str) -> Request:
        """Write the request. Marks of caches, which callers of messages make, go only to those who know them."""
        if ask.face == MESSAGES:
            from router.dialects.messages import marks

            if not marks.kept(model):
                ask = replace(ask, body=marks.without(ask.body))
        return Request(ask.endpoint, ask.upstream(model))

    same = request

    def answer(self, native: dict[str, Any]) -> dict[str, Any]:
        """Give an answer as it is. Raises Refusal (502) for one that tells of an error."""
        check(native)
        return native

    def reader(self, ask: Ask) -> "ChatReader":
        """Begin to read a stream."""
        del ask
        return ChatReader()

    def usage(self, native: Mapping[str, Any]) -> Usage | None:
        """Read an answer's usage. Raises Refusal (502) for one that tells of an error."""
        check(native)
        return of(native)

    def passing(self, ask: Ask) -> "Passing":
        """Begin to pass a stream on."""
        return Passing(keep_usage=ask.include_usage)


class ChatWriter:
    """Writes neutral events as they are. `keep_usage`: whether the caller asked for the one with only the usage."""

    def __init__(self, *, keep_usage: bool) -> None:
        self._keep_usage = keep_usage

    def write(self, event: Mapping[str, Any]) -> bytes:
        """Give the event."""
        if event.get("usage") and not event.get("choices") and not self._keep_usage:
            return b""
        return written(event)

    def end(self) -> bytes:
        """Say that it is done."""
        return _DONE

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more."""
        return refusal.event()


class ChatReader:
    """Reads events that are neutral already."""

    done = False

    def read(self, data: bytes) -> list[dict[str, Any]]:
        """Give the event. Raises Garbage."""
        if data == b"[DONE]":
            self.done = True
            return []
        return [parsed(data)]


class Passing:
    """Passes one chat stream on, parsing only the events that tell what has to be known.

    `keep_usage`: whether the caller asked for the event that holds only the usage. `[DONE]` is held back, for the
    ledger comes first.
    """

    def __init__(self, *, keep_usage: bool) -> None:
        self.done = False
        self.failed = False
        self.events = 0
        self.usage: Usage | None = None
        self._keep_usage = keep_usage
        self._finished = False
        self._bytes = 0
        self._least = 0

    @property
    def complete(self) -> bool:
        """Whether the answer was whole: it said so, or its last choice was finished."""
        return not self.failed and (self.done or self._finished)

    def take(self, event: bytes) -> bytes:
        """Give the event, if it is one for the caller. Raises Garbage."""
        data = payload(event)
        if data is None:
            # A comment, or a field that we know nothing of. Before the first event it would only be the byte after
            # which nobody else can be asked.
            return event if self.events else b""
        if data == b"[DONE]":
            self.done = True
            return b""
        if not (data.startswith(b"{") and data.endswith(b"}")):
            raise Garbage("an event that is no JSON object")
        if _TELLS.search(data):
            return event if self._read(data) else b""
        self._count(data)
        return event

    def settle(self, input_bytes: int) -> Usage:
        """Give what was consumed; an estimate where the stream did not say."""
        if self.usage is not None:
            return self.usage
        return estimate(input_bytes, self._bytes - self.events * self._least, self.events)

    def end(self) -> bytes:
        """Say that it is done, unless it told of an error."""
        return b"" if self.failed else _DONE

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more."""
        return refusal.event()

    def _count(self, data: bytes) -> None:
        self.events += 1
        self._bytes += len(data)
        self._least = min(self._least or len(data), len(data))
        if not self._finished and _UNFINISHED not in data and _FINISHED.search(data):
            self._finished = True

    def _read(self, data: bytes) -> bool:
        """Read an event that tells something, and say whether the caller gets it."""
        value = parsed(data)
        usage = of(value)
        if usage is not None:
            self.usage = usage  # of several, the last one stands: they grow
        if value.get("error"):
            self.failed = True
            return True
        if usage is not None and not value.get("choices"):
            return self._keep_usage
        self._count(data)
        return True


def check(answer: Mapping[str, Any]) -> None:
    """Refuse (502) an answer that is none: some endpoints tell of an error with status 200."""
    error = answer.get("error")
    if error and not answer.get("choices") and not answer.get("data"):
        said = error.get("message") if isinstance(error, Mapping) else error
        raise provider_error(f"the provider told of an error: {str(said)[:_QUOTED]}")


def neutral(body: bytes) -> dict[str, Any] | None:
    """Read an answer's body; None for what is no JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
