"""OpenAI's Responses API, as callers speak it."""

from typing import Any

from router.ask import Ask
from router.dialects.responses import answer, asked
from router.dialects.responses.envelope import Envelope
from router.dialects.responses.writer import ResponsesWriter, broken
from router.refusal import Refusal


class ResponsesFace:
    """What callers of `/v1/responses` speak."""

    def parse(self, endpoint: str, raw: bytes) -> Ask:
        """Read a request's body. Raises Refusal."""
        del endpoint  # there is one
        return asked.parse(raw)

    def answer(self, ask: Ask, neutral: dict[str, Any]) -> dict[str, Any]:
        """Write an answer that is no stream. Raises Refusal (502) for one that is none."""
        return answer.write(ask, neutral)

    def writer(self, ask: Ask) -> ResponsesWriter:
        """Begin to write a stream."""
        return ResponsesWriter(Envelope(ask))

    def refusal(self, refusal: Refusal) -> bytes:
        """Write an error, which looks as chat's."""
        return refusal.body()

    def broken(self, refusal: Refusal) -> bytes:
        """Write an error into a stream that was passed on."""
        return broken(refusal, 0)
