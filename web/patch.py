"""What a page must redraw after new events, as operations that a browser applies blindly and may apply twice.

`put`: the element `put` is replaced by `html`, or appended to `into` where it is not there; with `first`, put before
the rest. `add`: `text` is appended to the element `add` when it holds `at` characters so far. `drop`: the element goes.
`say`: read out to who listens.
"""

from html import unescape
from typing import Any

import nh3

from web import markdown
from web.parts import Call, Prose, Question, Remark, Step
from web.progress import Progress
from web.views import Views

Operation = dict[str, Any]

_SAY_CHARACTERS = 600


def patch(progress: Progress, views: Views, now: int) -> list[Operation]:
    """Give the operations for all that changed since the last time, and note that the page has it.

    `now` is Unix microseconds.
    """
    live = _Live(progress, views, now)
    operations: list[Operation] = [{"drop": ident} for ident in progress.dropped]
    for ident, item in progress.changed.items():
        operations += live.draw(ident, item)
    operations += [{"say": text[:_SAY_CHARACTERS]} for text in progress.said]
    progress.clean()
    return operations


def spoken(progress: Progress) -> list[Operation]:
    """Give what is to be read out of a run that a page was just given as far as it is."""
    prose = [part for part in progress.parts if isinstance(part, Prose) and part.kind == "text"]
    return [{"say": plain(html)} for part in prose for html in part.pieces]


class _Live:
    def __init__(self, progress: Progress, views: Views, now: int) -> None:
        self._progress = progress
        self._views = views
        self._now = now

    def draw(self, ident: str, item: object) -> list[Operation]:
        """Give the operations for one changed thing."""
        if isinstance(item, Prose):
            return self._prose(item)
        if isinstance(item, Call):
            return self._output(item) if ident.endswith("-output") else [self._part(item)]
        if isinstance(item, Remark):
            return [self._part(item), {"say": item.message}]
        if isinstance(item, Question):
            return [self._part(item)]
        if isinstance(item, Step):
            html = self._views.live("step", item, self._now)
            return [{"put": item.id, "into": f"{self._progress.key}-steps", "html": html}]
        return self._state()

    def _part(self, part: Prose | Call | Remark | Question) -> Operation:
        html = self._views.live("piece_of", part, self._now)
        return {"put": part.id, "into": f"{self._progress.key}-parts", "html": html}

    def _prose(self, part: Prose) -> list[Operation]:
        part.settle()
        says = self._says(part)
        if part.sent_pieces < 0 or part.ended:
            return [self._part(part), *says]
        pieces = [*part.pieces[part.sent_pieces :], part.tail]
        puts = [
            {
                "put": f"{part.id}-b{part.sent_pieces + offset}",
                "into": f"{part.id}-body",
                "html": self._views.live("piece", part.id, part.sent_pieces + offset, html),
            }
            for offset, html in enumerate(pieces)
        ]
        return [*puts, *says]

    def _says(self, part: Prose) -> list[Operation]:
        """Read out what has settled since the last time."""
        rest = part.text[part.spoken : part.settled_characters]
        return [{"say": plain(markdown.render(rest))}] if part.kind == "text" and rest.strip() else []

    def _output(self, call: Call) -> list[Operation]:
        if call.sent_output == len(call.output) or call.state != "running":
            return []
        text = call.output[call.sent_output :]
        return [{"add": f"{call.id}-output", "at": call.sent_output, "length": len(text), "text": text}]

    def _state(self) -> list[Operation]:
        key = self._progress.key
        operations: list[Operation] = [
            {"put": f"{key}-{name}", "into": "", "html": self._views.live(name, self._progress, self._now)}
            for name in ("head", "foot")
        ]
        return operations


def plain(html: str) -> str:
    """Give the text of our own safe HTML, for reading out."""
    text = " ".join(unescape(nh3.clean(html, tags=set())).split())
    return text if len(text) <= _SAY_CHARACTERS else text[: _SAY_CHARACTERS - 1] + "…"
