"""Anthropic's Messages API, as providers speak it."""

from collections.abc import Mapping
from typing import Any

from router.ask import Ask, encode
from router.dialects.messages import answer, asked
from router.dialects.messages import usage as counts
from router.dialects.messages.passing import MessagesPassing
from router.dialects.messages.reader import MessagesReader
from router.usage import Usage
from router.wire import Request


class MessagesDialect:
    """What Anthropic speaks, and other providers beside it."""

    def request(self, ask: Ask, model: str) -> Request:
        """Write the request from the neutral form. Raises Refusal (400)."""
        return Request(asked.PATH, encode(asked.written(ask, model)))

    def same(self, ask: Ask, model: str) -> Request:
        """Write a caller's own request."""
        return Request(asked.PATH, encode(asked.own(ask.native or {}, model)))

    def answer(self, native: dict[str, Any]) -> dict[str, Any]:
        """Read an answer that is no stream. Raises Refusal (502)."""
        return answer.read(native)

    def reader(self, ask: Ask) -> MessagesReader:
        """Begin to read a stream."""
        del ask
        return MessagesReader()

    def usage(self, native: Mapping[str, Any]) -> Usage | None:
        """Read an answer's usage."""
        return counts.usage(native)

    def passing(self, ask: Ask) -> MessagesPassing:
        """Begin to pass a stream on."""
        del ask
        return MessagesPassing()
