"""Asking a model over the OpenAI form: chat, streamed, and embeddings."""

import base64
import binascii
import json
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.runtimes.builtin.failure import Busy, ContextOverflow, RunFailed
from workers.runtimes.builtin.frames import Output
from workers.runtimes.builtin.reply import Reply
from workers.runtimes.builtin.sse import Events
from workers.runtimes.builtin.wire import Address, Connection, Deadlines

ATTEMPTS = 4
"""How often a request is sent whose answers say that nothing of it was begun …"""
PAUSES = (0.2, 1.0, 3.0)
"""… and the seconds between."""
PAUSE_SECONDS = 15.0
"""The longest pause that an answer may ask for; a longer one fails the run."""
TOO_LONG = ("context_length_exceeded", "exceed_context_size_error", "maximum context length", "context size")


@dataclass(frozen=True)
class Model:
    """Where and whom to ask. Failures raise RunFailed with a message for people, or ContextOverflow."""

    base_url: str
    name: str
    deadlines: Deadlines

    def chat(self, body: Mapping[str, Any], output: Output) -> Reply:
        """Stream one chat completion; text and reasoning go to `output` as they come."""
        body = {"model": self.name, **body, "stream": True, "stream_options": {"include_usage": True}}
        connection = self._post("/chat/completions", body, output)
        try:
            if "json" in connection.headers.get("content-type", ""):
                return whole(connection, output)
            return streamed(connection, output)
        finally:
            connection.close()

    def complete(self, body: Mapping[str, Any], output: Output) -> Reply:
        """Ask for one chat completion that no person reads."""
        connection = self._post("/chat/completions", {"model": self.name, **body}, output)
        try:
            return whole(connection, None)
        finally:
            connection.close()

    def embed(self, model: str, texts: Sequence[str], output: Output) -> list[list[float]]:
        """Return one vector for each text, in their order."""
        body = {"model": model, "input": list(texts), "input_type": "query"}
        connection = self._post("/embeddings", body, output)
        try:
            answer = parse(connection.read_all())
        finally:
            connection.close()
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            vectors = [vector(row["embedding"]) for row in rows]
        except (KeyError, TypeError, ValueError, struct.error, binascii.Error) as error:
            raise RunFailed("MODEL_ERROR", f"{model} answered with no embeddings.") from error
        if len(vectors) != len(texts) or len({len(row) for row in vectors}) > 1:
            raise RunFailed("MODEL_ERROR", f"{model} sent {len(vectors)} embeddings for {len(texts)} texts.")
        return vectors

    def _post(self, path: str, body: Mapping[str, Any], output: Output) -> Connection:
        """Send until it was begun, then return the connection at the beginning of a good answer."""
        for attempt in range(ATTEMPTS):
            connection = Connection(Address.parse(self.base_url), self.deadlines)
            try:
                connection.post(path, body)
                check(connection)
                return connection
            except Busy as busy:
                connection.close()
                self._pause(attempt, busy, output)
            except BaseException:
                connection.close()
                raise
        raise RunFailed("MODEL_UNAVAILABLE", f"{self.name} was not available.")

    def _pause(self, attempt: int, busy: Busy, output: Output) -> None:
        asked = busy.after or 0.0
        if attempt + 1 == ATTEMPTS or asked > PAUSE_SECONDS:
            raise RunFailed("MODEL_UNAVAILABLE", f"{busy} Asked {attempt + 1} times; run it again later.") from busy
        if attempt == 0:
            output.notice("model_retry", f"{busy} Trying again.")
        time.sleep(max(PAUSES[attempt], asked))


def streamed(connection: Connection, output: Output) -> Reply:
    """Read a stream of events to its end."""
    reply, events = Reply(), Events()
    while True:
        chunk = connection.receive(output.due())
        if chunk is None:
            output.flush()
            continue
        for event in events.feed(chunk) if chunk else events.end():
            if event.strip() == "[DONE]":
                reply.done = True
            else:
                take(reply, parse(event.encode()), output)
        if not chunk:
            break
    output.flush()
    if not reply.whole():
        kind = connection.headers.get("content-type", "")
        if not reply.chars and "event-stream" not in kind:
            raise RunFailed(
                "MODEL_ERROR", f"The model's side answered with {kind or 'something'} in place of a stream."
            )
        raise RunFailed("MODEL_UNAVAILABLE", "The model's answer broke off before its end. Run it again.")
    return reply


def whole(connection: Connection, output: Output | None) -> Reply:
    """Read an answer that was not streamed."""
    reply = Reply()
    take(reply, parse(connection.read_all()), output)
    if not reply.whole():
        raise RunFailed("MODEL_ERROR", "The model's answer holds no choice.")
    return reply


def take(reply: Reply, event: dict[str, Any], output: Output | None) -> None:
    """Add an event to the reply; an error in it ends the run."""
    if event.get("error"):
        raise refusal(0, event)
    reply.add(event, output.text if output else unread, output.reasoning if output else unread)


def unread(_: str) -> None:
    """Take text that no person reads."""


def check(connection: Connection) -> None:
    """Pass a good answer; raise what the status and the error body of another say."""
    if connection.status == 200:  # noqa: PLR2004 - the one good status
        return
    body = connection.read_all()
    try:
        answer = parse(body)
    except RunFailed:
        answer = {"error": {"message": body[:200].decode("utf-8", "replace")}}
    error = refusal(connection.status, answer)
    if isinstance(error, Busy):
        after = connection.headers.get("retry-after", "")
        error.after = float(after) if after.isdigit() else None
    raise error


def refusal(status: int, answer: Mapping[str, Any]) -> Exception:
    """Decide what an error answer means; `status` 0 is an error in the middle of a stream."""
    error = answer.get("error")
    error = error if isinstance(error, dict) else {"message": str(error or "")}
    code = f"{error.get('code') or ''} {error.get('type') or ''}"
    said = str(error.get("message") or "").strip()[:400].rstrip(".") or f"status {status}"
    if status == 413 or any(mark in f"{code} {said}".lower() for mark in TOO_LONG):  # noqa: PLR2004 - content too large
        return ContextOverflow(said)
    if "model_not_allowed" in code or status in (401, 403):
        return RunFailed("MODEL_NOT_ALLOWED", f"The model may not be used here: {said}. Check the agent's model.")
    if "model_not_found" in code or status == 404:  # noqa: PLR2004 - not found
        return RunFailed(
            "MODEL_UNAVAILABLE", f"There is no such model: {said}. `signet model list` shows those there are."
        )
    if status in (429, 503):
        return Busy(f"The model is not available: {said}.")
    if status in (408, 502, 504) or "provider_timeout" in code or "provider_unavailable" in code:
        return RunFailed("MODEL_UNAVAILABLE", f"The model did not answer: {said}. Run it again later.")
    return RunFailed("MODEL_ERROR", f"The model refused the request: {said}.")


def parse(text: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises RunFailed that quotes the begin of what is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunFailed("MODEL_ERROR", f"The model's side sent something that is not JSON: {text[:80]!r}.") from error
    if not isinstance(value, dict):
        raise RunFailed("MODEL_ERROR", f"The model's side sent JSON that is not an object: {text[:80]!r}.")
    return value


def vector(value: object) -> list[float]:
    """Read an embedding, a list of numbers or base64 of little-endian floats."""
    if isinstance(value, str):
        packed = base64.b64decode(value, validate=True)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    if not isinstance(value, list):
        raise TypeError(value)
    return [float(number) for number in value]
