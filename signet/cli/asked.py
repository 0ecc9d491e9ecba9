"""A model's answer, printed as it comes."""

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from signet.cli.call import Call

if TYPE_CHECKING:
    from signet.v1.usage_pb2 import Usage


async def asked(call: Call, body: dict[str, Any]) -> None:
    """Ask, and print: text while it grows, events as lines, or one object at the end."""
    from signet.v1.usage_pb2 import Usage

    used, text = Usage(), Text(call)
    async with call.asynchronous() as signet, aclosing(signet.inference.stream(body)) as events:
        async for event in events:
            if event.usage is not None:
                used = event.usage
            else:
                text.add(event.body)
    text.end(used)


class Text:
    """Puts an answer together from its events, and shows it in the form that was asked for."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._pieces: list[str] = []
        self._model = ""
        self._finish = ""
        self._verbatim = not sys.stdout.isatty()  # a pipe gets what the model wrote, a terminal what is safe for it

    def add(self, event: dict[str, Any]) -> None:
        """Take an event."""
        from signet.cli.clean import clean
        from signet.cli.output import line

        if self._call.output == "jsonl":
            line(event)
        self._model = event.get("model") or self._model
        for choice in event.get("choices") or ():
            self._finish = choice.get("finish_reason") or self._finish
            piece = (choice.get("delta") or {}).get("content") or ""
            self._pieces.append(piece)
            if self._call.output in ("table", "name") and piece:
                click.echo(piece if self._verbatim else clean(piece), nl=False)
                sys.stdout.flush()

    def end(self, used: "Usage") -> None:
        """Print what comes last."""
        from signet.cli.form import form
        from signet.cli.output import line, structured

        text = "".join(self._pieces)
        whole = {"output": text, "model": self._model, "finish_reason": self._finish, "usage": form(used)}
        if self._call.output == "jsonl":
            line({"usage": form(used)})
        elif self._call.output in ("json", "yaml"):
            structured(self._call, whole)
        else:
            if text and not text.endswith("\n"):
                click.echo()
            self._call.say(_told(used, self._finish))


def _told(used: "Usage", finish: str) -> str:
    from signet.cli.words import cost, count

    price = cost(used.cost_microusd if used.HasField("cost_microusd") else None)
    cut = "; it was cut off at its limit" if finish == "length" else ""
    return f"{count(used.input_tokens)} tokens read, {count(used.output_tokens)} written, cost {price}{cut}"
