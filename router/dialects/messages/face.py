"""Anthropic's Messages API, as callers speak it."""

from collections.abc import Mapping
from typing import Any

from router.ask import Ask, encode
from router.dialects.messages import answer, asked, errors
from router.dialects.messages.writer import MessagesWriter
from router.refusal import Refusal


class MessagesFace:
    """What callers of `/v1/messages` speak."""

    def parse(self, endpoint: str, raw: bytes) -> Ask:
        """Read a request's body. Raises Refusal."""
        del endpoint  # there is one
        return asked.parse(raw)

    def answer(self, ask: Ask, neutral: Mapping[str, Any]) -> dict[str, Any]:
        """Write an answer that is no stream. Raises Refusal (502) for one that is none."""
        return answer.write(ask, neutral)

    def writer(self, ask: Ask) -> MessagesWriter:
        """Begin to write a stream."""
        return MessagesWriter(ask)

    def refusal(self, refusal: Refusal) -> bytes:
        """Write an error."""
        return encode(errors.error(refusal))

    def broken(self, refusal: Refusal) -> bytes:
        """Write an error into a stream."""
        return errors.event(refusal)
