"""What forms are to each other: a caller's is its face, a provider's its dialect, and chat is the neutral one between.

Where a caller and a provider speak the same form, bodies and events pass as they are; else a dialect and a face turn
them into chat completions and out of it, event by event.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from router.ask import Ask
from router.refusal import Refusal
from router.usage import Usage
from router.wire import Request

CHAT_FORM = "chat"
RESPONSES = "responses"
MESSAGES = "messages"


class Writer(Protocol):
    """Writes one stream in a caller's form."""

    def write(self, event: Mapping[str, Any]) -> bytes:
        """Give what a neutral event is in this form: any number of events, often none."""

    def end(self) -> bytes:
        """Give the events that end the stream; it is in the ledger by now."""

    def broken(self, refusal: Refusal) -> bytes:
        """Say, in the stream, that there will be no more."""


class Face(Protocol):
    """A form in which callers ask."""

    def parse(self, endpoint: str, raw: bytes) -> Ask:
        """Read a request's body into the neutral form. Raises Refusal, which says what is wrong with it."""

    def answer(self, ask: Ask, neutral: dict[str, Any]) -> dict[str, Any]:
        """Write an answer that is no stream."""

    def writer(self, ask: Ask) -> Writer:
        """Begin to write a stream."""

    def refusal(self, refusal: Refusal) -> bytes:
        """Write an error as the body of an answer."""

    def broken(self, refusal: Refusal) -> bytes:
        """Write an error into a stream that began already."""


class Reader(Protocol):
    """Reads one stream in a provider's form. `done`: it said that it is, and nothing of it follows."""

    @property
    def done(self) -> bool:
        """Whether the provider said that this was all."""

    def read(self, payload: bytes) -> list[dict[str, Any]]:
        """Give the neutral events that an event's data stands for; an error is `{"error": {…}}`. Raises Garbage."""


class Reading(Protocol):
    """Takes one streamed answer, event by event, to where the caller gets it."""

    @property
    def done(self) -> bool:
        """Whether nothing of it follows."""

    @property
    def complete(self) -> bool:
        """Whether the answer was whole: it said so, or its last choice was finished."""

    @property
    def failed(self) -> bool:
        """Whether the provider itself told of an error, which was passed on."""

    def take(self, event: bytes) -> bytes:
        """Give what the caller gets for an event, with the empty line that ends it; b"" for nothing. Raises Garbage."""

    def settle(self, input_bytes: int) -> Usage:
        """Give what was consumed so far; an estimate where the stream did not say."""

    def end(self) -> bytes:
        """Give what was held back until the call is in the ledger."""

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more, and why."""


class Dialect(Protocol):
    """A form in which providers are asked."""

    def request(self, ask: Ask, model: str) -> Request:
        """Write the request from the neutral form. Raises Refusal (400) for what cannot be said in this form."""

    def answer(self, native: dict[str, Any]) -> dict[str, Any]:
        """Read an answer that is no stream. Raises Refusal (502) for one that is none."""

    def reader(self, ask: Ask) -> Reader:
        """Begin to read a stream."""

    def same(self, ask: Ask, model: str) -> Request:
        """Write the request of a caller who speaks this form: its own body, but for the model's name."""

    def usage(self, native: Mapping[str, Any]) -> Usage | None:
        """Read the usage of an answer that is no stream; None where it says none."""

    def passing(self, ask: Ask) -> Reading:
        """Begin to pass a stream on as it is, reading it on its way."""


class Codec(Protocol):
    """How one call is put to its provider, and its answer to its caller."""

    def request(self, model: str) -> Request:
        """Write the request for a provider, with its own name of the model. Raises Refusal (400)."""

    def whole(self, body: bytes) -> tuple[bytes, Usage | None]:
        """Give an answer that is no stream as its caller gets it, and its usage. Raises Refusal (502)."""

    def reading(self) -> Reading:
        """Begin to read a streamed answer."""
