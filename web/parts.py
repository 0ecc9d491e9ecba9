"""What a run is made of on a page: text, tool calls, remarks, and the steps of its execution."""

import json
from dataclasses import dataclass, field

from web import markdown

_SUMMARY_CHARACTERS = 140
_SUMMARY_KEYS = ("command", "path", "pattern", "query", "url")


@dataclass
class Prose:
    """Text or reasoning as it comes: settled pieces that never change, and a tail that still does."""

    id: str
    kind: str
    text: str = ""
    pieces: list[str] = field(default_factory=list)
    settled_characters: int = 0
    ended: bool = False
    sent_pieces: int = -1
    """How many settled pieces the page has; -1 before it has the part at all."""
    spoken: int = 0
    """How many characters were read out to those who listen."""

    def settle(self) -> None:
        """Move what is settled out of the tail; all of it once the text has ended."""
        if self.ended:
            if self.settled_characters == len(self.text) and len(self.pieces) == 1:
                return
            self.pieces = [markdown.render(self.text)]  # whole: blocks that refer to one another come out right
            self.settled_characters = len(self.text)
            return
        while (end := markdown.boundary(self.text, self.settled_characters)) > self.settled_characters:
            self.pieces.append(markdown.render(self.text[self.settled_characters : end]))
            self.settled_characters = end

    @property
    def tail(self) -> str:
        """HTML of what is not settled."""
        return markdown.render(self.text[self.settled_characters :]) if not self.ended else ""


@dataclass
class Call:
    """One tool call. `state` is `running`, `done`, `failed` or `lost`; times are Unix microseconds."""

    id: str
    call: str
    tool: str
    arguments: str
    verdict: str
    started: int
    output: str = ""
    sent_output: int = 0
    """How many characters of the output the page has."""
    cut: bool = False
    result: str = ""
    state: str = "running"
    duration: int = 0

    @property
    def summary(self) -> str:
        """One line that tells this call from others."""
        return summarize(self.arguments)

    @property
    def pretty(self) -> str:
        """The arguments, a line each."""
        return pretty(self.arguments)


@dataclass
class Remark:
    """A line that is neither the agent's nor a call: a notice, a lost attempt. `tone` is `quiet`, `warn` or `bad`."""

    id: str
    message: str
    tone: str = "quiet"


@dataclass
class Step:
    """A line of the execution panel. `state` as a call's; `call` is set on tool calls."""

    id: str
    title: str
    state: str
    started: int
    duration: int = 0
    detail: str = ""
    call: Call | None = None


@dataclass
class Question:
    """What an agent asks a person. `answer` is empty while it waits, then `APPROVED`, `DENIED` or `EXPIRED`.

    It is `LEFT` where the run ended first: one for a connection may still be answered then, for later runs.
    `radius`, what a yes would open, is no part of the events.
    """

    id: str
    approval: str
    text: str
    answer: str = ""
    caller: str = ""
    radius: str = ""

    @property
    def open(self) -> bool:
        """Whether it waits for an answer."""
        return not self.answer

    @property
    def key(self) -> str:
        """The approval's own id."""
        return self.approval.partition("/")[2]


Part = Prose | Call | Remark | Question


def summarize(arguments: str) -> str:
    """Give the telling argument of a call in one line: the command, the path, else all of them."""
    try:
        values = json.loads(arguments)
    except ValueError:
        return _line(arguments)
    if isinstance(values, dict):
        for key in _SUMMARY_KEYS:
            if isinstance(values.get(key), str):
                return _line(values[key])
        return _line(", ".join(f"{key}: {value}" for key, value in values.items()))
    return _line(arguments)


def pretty(arguments: str) -> str:
    """Give a JSON text with a line for each value; another text as it is."""
    try:
        return json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
    except ValueError:
        return arguments


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SUMMARY_CHARACTERS else line[: _SUMMARY_CHARACTERS - 1] + "…"
