"""OpenAI's Responses API, as providers speak it."""

from collections.abc import Mapping
from typing import Any

from router.ask import Ask, encode
from router.dialects.responses import answer, items, settings, tools
from router.dialects.responses.passing import Passing
from router.dialects.responses.reader import ResponsesReader
from router.usage import Usage, read
from router.wire import Request

_PATH = "/responses"


class ResponsesDialect:
    """What providers of kind RESPONSES speak."""

    def request(self, ask: Ask, model: str) -> Request:
        """Write the request from the neutral form. Raises Refusal (400) for what cannot be said in this one."""
        body = {"model": model, "input": items.write(ask.body.get("messages")), **settings.write(ask.body)}
        if ask.body.get("tools"):
            body["tools"] = tools.write(ask.body["tools"])
        if ask.body.get("tool_choice") is not None:
            body["tool_choice"] = tools.write_choice(ask.body["tool_choice"])
        if ask.stream:
            body["stream"] = True
        return Request(_PATH, encode(body))

    def answer(self, native: dict[str, Any]) -> dict[str, Any]:
        """Read an answer that is no stream. Raises Refusal (502) for one that failed or is none."""
        return answer.read(native)

    def reader(self, ask: Ask) -> ResponsesReader:
        """Begin to read a stream."""
        del ask
        return ResponsesReader()

    def same(self, ask: Ask, model: str) -> Request:
        """Write the request of a caller who speaks this form, too."""
        return Request(_PATH, encode({**(ask.native or {}), "model": model}))

    def usage(self, native: Mapping[str, Any]) -> Usage | None:
        """Read the usage of an answer that is no stream."""
        return read(native.get("usage"))

    def passing(self, ask: Ask) -> Passing:
        """Begin to pass a stream on as it is."""
        del ask
        return Passing()
