"""A stream in this form, written from chat's events: every event typed and numbered, and items one after the other."""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from router.dialects.events import written
from router.dialects.responses import answer, output, thoughts, usage
from router.dialects.responses.envelope import Envelope
from router.dialects.responses.growing import Call, Event, Growing, Message, Thoughts
from router.refusal import Refusal


class ResponsesWriter:
    """Writes one stream. It keeps all that was said, for the last event says it again."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._number = 0
        self._made: list[Growing] = []
        self._open: Thoughts | Message | None = None
        self._calls: dict[int, Call] = {}
        self._answered = False
        self._finish: str | None = None
        self._usage: dict[str, Any] | None = None

    def write(self, event: Mapping[str, Any]) -> bytes:
        """Give what a neutral event is in this form."""
        return self._written(self._take(event))

    def end(self) -> bytes:
        """Say that it is done, with the whole response."""
        return self._written(self._end())

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more."""
        return broken(refusal, self._number)

    def _written(self, events: Iterable[Event]) -> bytes:
        pieces: list[bytes] = []
        for kind, fields in events:
            pieces.append(written({"type": kind, "sequence_number": self._number, **fields}, kind))
            self._number += 1
        return b"".join(pieces)

    def _take(self, event: Mapping[str, Any]) -> Iterator[Event]:
        if not self._number:
            yield from self._begin(event)
        self._usage = usage.write(event.get("usage")) or self._usage
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, Mapping) or choice.get("index", 0):
                continue  # nobody can ask for more than one
            delta = choice.get("delta")
            if isinstance(delta, Mapping):
                yield from self._delta(delta, answer.logprobs(choice))
            if isinstance(choice.get("finish_reason"), str):
                self._finish = choice["finish_reason"]

    def _begin(self, event: Mapping[str, Any]) -> Iterator[Event]:
        if isinstance(event.get("model"), str):
            self._envelope.model = str(event["model"])
        yield "response.created", {"response": self._envelope.begun()}
        yield "response.in_progress", {"response": self._envelope.begun()}

    def _delta(self, delta: Mapping[str, Any], logprobs: list[Any]) -> Iterator[Event]:
        yield from self._think(delta)
        text = delta.get("content")
        if isinstance(text, str) and text:
            message = yield from self._message()
            yield from message.say(text, logprobs)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            message = yield from self._message()
            yield from message.refuse(refusal)
        if annotations := output.cited(delta.get("annotations")):
            message = yield from self._message()
            yield from message.cite(annotations)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping):
                yield from self._call(call)

    def _think(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        text, details = thoughts.said(delta), thoughts.details(delta)
        if not text and not details:
            return
        now = self._open
        if not isinstance(now, Thoughts):
            yield from self._close()
            now = self._open = Thoughts(self._envelope, len(self._made))
            self._made.append(now)
            yield from now.begin()
        if text:
            yield from now.think(text)
        now.keep(details)

    def _message(self) -> Generator[Event, None, Message]:
        now = self._open
        if not isinstance(now, Message):
            yield from self._close()
            now = self._open = Message(self._envelope, len(self._made))
            self._made.append(now)
            self._answered = True
            yield from now.begin()
        return now

    def _call(self, given: Mapping[str, Any]) -> Iterator[Event]:
        place = given.get("index")
        index = place if type(place) is int else max(self._calls, default=0)
        call = self._calls.get(index)
        if call is None or _another(call, given):
            yield from self._close()
            if call is not None:
                yield from call.finish()
            call = self._calls[index] = Call(self._envelope, len(self._made), given)
            self._made.append(call)
            self._answered = True
            yield from call.begin(given)
        yield from call.add(given)

    def _close(self) -> Iterator[Event]:
        """Say of thoughts or words that they are whole. Calls stay open: their pieces may come in turns."""
        now, self._open = self._open, None
        if now is not None:
            yield from now.finish()

    def _end(self) -> Iterator[Event]:
        if not self._number:
            yield from self._begin({})
        if not self._answered:
            message = yield from self._message()
            yield from message.say("", [])
        yield from self._close()
        for call in self._calls.values():
            yield from call.finish()
        response = self._envelope.ended(self._finish, [each.item() for each in self._made], self._usage)
        yield f"response.{response['status']}", {"response": response}


def _another(call: Call, given: Mapping[str, Any]) -> bool:
    """Whether it is the next call under the same index, as some servers have it."""
    return bool(given.get("id")) and given["id"] != call.call_id and bool(call.call_id)


def broken(refusal: Refusal, number: int) -> bytes:
    """Write an error into a stream; `error` is there as well, for clients that look for nothing else."""
    error = json.loads(refusal.body())["error"]
    event = {"type": "error", "sequence_number": number, "code": refusal.code, "message": refusal.message}
    return written({**event, "param": refusal.param, "error": error}, "error")
