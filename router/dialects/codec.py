"""Picks how a call is put to its provider: as it is where both speak one form, else by way of the neutral one."""

from collections.abc import Mapping
from typing import Any

from router.ask import EMBEDDINGS, Ask
from router.dialects.chat import neutral
from router.dialects.contract import CHAT_FORM, RESPONSES, Codec, Dialect, Face, Reader, Reading, Writer
from router.dialects.events import Garbage, encoded, payload
from router.dialects.forms import dialect, face
from router.refusal import Refusal, bad_request, provider_error
from router.usage import Usage, estimate, of
from router.wire import Request

_EMBED_AS_CHAT = (RESPONSES,)
"""Forms of one host that has the other one's embeddings, too."""


def pick(ask: Ask, form: str) -> Codec:
    """Give the codec of a call to a provider of a form. Raises Refusal (400) where it cannot be put to it."""
    if ask.endpoint == EMBEDDINGS and form in _EMBED_AS_CHAT:
        form = CHAT_FORM
    if ask.endpoint == EMBEDDINGS and form != CHAT_FORM:
        raise bad_request(f"{ask.model} does not embed", "model")
    if ask.face == form:
        return Same(ask, dialect(form))
    if ask.only is not None:
        raise ask.only
    return Translated(ask, face(ask.face), dialect(form))


class Same:
    """Both speak one form."""

    def __init__(self, ask: Ask, form: Dialect) -> None:
        self._ask = ask
        self._form = form

    def request(self, model: str) -> Request:
        """Write the caller's own request."""
        return self._form.same(self._ask, model)

    def whole(self, body: bytes) -> tuple[bytes, Usage | None]:
        """Give the answer as it is. Raises Refusal (502)."""
        return body, self._form.usage(_object(body))

    def reading(self) -> Reading:
        """Pass a stream on as it is."""
        return self._form.passing(self._ask)


class Translated:
    """The caller speaks one form and the provider another."""

    def __init__(self, ask: Ask, face: Face, form: Dialect) -> None:
        self._ask = ask
        self._face = face
        self._form = form

    def request(self, model: str) -> Request:
        """Write the request in the provider's form. Raises Refusal (400)."""
        return self._form.request(self._ask, model)

    def whole(self, body: bytes) -> tuple[bytes, Usage | None]:
        """Give the answer in the caller's form. Raises Refusal (502)."""
        found = self._form.answer(_object(body))
        return encoded(self._face.answer(self._ask, found)), of(found)

    def reading(self) -> Reading:
        """Translate a stream, event by event."""
        return Translation(self._form.reader(self._ask), self._face.writer(self._ask))


class Translation:
    """A stream of one form, written in another."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._usage: Usage | None = None
        self._finished = False
        self._bytes = 0
        self._events = 0
        self.failed = False

    @property
    def done(self) -> bool:
        """Whether the provider said that this was all."""
        return self._reader.done

    @property
    def complete(self) -> bool:
        """Whether the answer was whole."""
        return not self.failed and (self._reader.done or self._finished)

    def take(self, event: bytes) -> bytes:
        """Give what the caller gets for an event. Raises Garbage."""
        data = payload(event)
        if data is None:
            return b""
        return b"".join(self._take(each) for each in self._reader.read(data))

    def settle(self, input_bytes: int) -> Usage:
        """Give what was consumed so far."""
        return self._usage or estimate(input_bytes, self._bytes, self._events)

    def end(self) -> bytes:
        """End the stream as the caller's form does, unless it told of an error."""
        return b"" if self.failed else self._writer.end()

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more."""
        return self._writer.broken(refusal)

    def _take(self, event: Mapping[str, Any]) -> bytes:
        error = event.get("error")
        if error:
            self.failed = True
            said = error.get("message") if isinstance(error, Mapping) else error
            return self._writer.broken(provider_error(f"the provider failed: {said}"))
        self._usage = of(event) or self._usage
        self._events += 1
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, Mapping):
                raise Garbage("a choice that is no JSON object")
            self._finished = self._finished or bool(choice.get("finish_reason"))
            delta = choice.get("delta")
            if isinstance(delta, Mapping):
                self._bytes += _letters(delta)
        return self._writer.write(event)


def _letters(delta: Mapping[str, Any]) -> int:
    """Count what a delta says: its texts, and what it calls tools with."""
    calls = delta.get("tool_calls")
    called = [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    inner = [part for call in called for part in call.values() if isinstance(part, Mapping)]
    return sum(len(text) for part in (delta, *inner) for text in part.values() if isinstance(text, str))


def _object(body: bytes) -> dict[str, Any]:
    found = neutral(body)
    if found is None:
        raise provider_error("the provider answered 200 with something that is no JSON object")
    return found
