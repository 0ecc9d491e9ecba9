"""A run at a terminal: the answer as Markdown while it grows, tool calls with their arguments, time and output.

Drawn from one thread only: rich's own Live redraws from another, and what is printed meanwhile leaves ghosts.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live_render import LiveRender
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from signet.cli.call import Call
from signet.cli.clean import cleaned
from signet.cli.view.blocks import settled
from signet.cli.view.echo import Echo
from signet.cli.view.phrases import NOTED, arguments, ended, noted, refused
from signet.cli.words import seconds
from signet.v1.events_pb2 import RunEvent

_TAIL_LINES = 6
_TAIL_CHARACTERS = 8_192
_BLOCK_CHARACTERS = 32_768  # a longer block is cut, so that redrawing it stays quick
_MARGIN = 4  # so that the `^C` which the terminal itself writes does not begin another line
_STILL_SECONDS = 0.4  # after this long without news a person is told that it goes on


@dataclass
class _Tool:
    """A tool call that runs."""

    name: str
    arguments: str
    began: float = field(default_factory=time.monotonic)
    output: str = ""


class Live:
    """Shows events as they come. What is settled scrolls away as ordinary text; only what still changes is redrawn."""

    def __init__(self, call: Call, hushed: Collection[str] = ()) -> None:
        self._hushed = hushed
        self._console = Console(no_color=call.color is False, highlight=False)
        self._quiet = call.quiet
        self._text = ""
        self._thinking = self._over = False
        self._began = self._moved = time.monotonic()
        self._spinner = Spinner("dots", style="cyan")
        self._tools: dict[str, _Tool] = {}
        self._region = LiveRender(Group())
        self._console.show_cursor(False)
        self._echo = Echo()

    def show(self, event: RunEvent) -> None:
        """Show one event."""
        event = cleaned(event)
        kind = event.WhichOneof("kind") or ""
        show = {
            "text": self._on_text,
            "reasoning": self._on_reasoning,
            "tool_call_started": self._on_tool_started,
            "tool_output": self._on_tool_output,
            "tool_call_finished": self._on_tool_finished,
            **dict.fromkeys(NOTED, self._on_note),
            "finished": self._on_finished,
        }.get(kind)
        if show:
            show(event)
            self._moved = time.monotonic()

    def tick(self) -> None:
        """Draw what changed since, and the time that passed."""
        self._draw()

    def close(self) -> None:
        """Print what is still open and leave the terminal as it was."""
        self._over = True
        self._settle(everything=True)
        self._draw()
        self._console.show_cursor(True)
        self._echo.restore()

    def _on_text(self, event: RunEvent) -> None:
        self._thinking = False
        self._text += event.text.text
        self._settle()

    def _on_reasoning(self, event: RunEvent) -> None:
        del event
        self._thinking = True

    def _on_tool_started(self, event: RunEvent) -> None:
        self._settle(everything=True)
        call = event.tool_call_started
        self._tools[call.id] = _Tool(call.tool, arguments(call.arguments))

    def _on_tool_output(self, event: RunEvent) -> None:
        tool = self._tools.get(event.tool_output.id)
        if tool:
            tool.output = (tool.output + event.tool_output.text)[-_TAIL_CHARACTERS:]

    def _on_tool_finished(self, event: RunEvent) -> None:
        call = event.tool_call_finished
        tool = self._tools.pop(call.id, _Tool("tool", ""))
        if self._quiet:
            return
        mark = Text("✗ ", "red") if call.is_error else Text("✓ ", "green")
        heading = _heading(tool, mark.append(seconds(call.duration_micros), "dim"))
        self._draw(heading, _tail(call.result if call.is_error else tool.output or call.result))

    def _on_note(self, event: RunEvent) -> None:
        if event.notice.code in self._hushed or (event.HasField("egress_decided") and not refused(event)):
            return
        self._settle(everything=True)
        if event.HasField("attempt_lost"):
            self._tools.clear()
        if not self._quiet:
            self._draw(Text.from_ansi(noted(event)))

    def _on_finished(self, event: RunEvent) -> None:
        self._settle(everything=True)
        self._over = True
        if not self._quiet:
            self._draw(Text.from_ansi(ended(event)))

    def _settle(self, *, everything: bool = False) -> None:
        """Print the blocks that will not change any more."""
        whole = everything or len(self._text) > _BLOCK_CHARACTERS
        end = len(self._text) if whole else settled(self._text)
        block, self._text = self._text[:end], self._text[end:]
        if block.strip():
            self._draw(_Trimmed(Markdown(block.strip())), "")

    def _draw(self, *above: RenderableType) -> None:
        """Put what is settled above, and what still changes below it, in one write."""
        with self._console:
            self._console.control(self._region.position_cursor())
            for part in above:
                self._console.print(part)
            self._region.set_renderable(self._moving())
            self._console.print(self._region, end="", width=self._console.width - _MARGIN)

    def _moving(self) -> RenderableType:
        """Draw what still changes, never higher than the terminal."""
        if self._over:
            return Group()
        parts: list[RenderableType] = []
        for tool in self._tools.values():
            passed = seconds((time.monotonic() - tool.began) * 1e6)
            parts += [_heading(tool, Text(passed, style="cyan")), _tail(tool.output)]
        if self._text.strip():
            parts.append(_Bottom(_Trimmed(Markdown(self._text.strip())), self._console.height - 2))
        elif not self._tools and time.monotonic() - self._moved > _STILL_SECONDS:
            self._spinner.update(text=Text(self._waiting(), style="dim"))
            parts.append(self._spinner)
        return Group(*parts)

    def _waiting(self) -> str:
        passed = seconds((time.monotonic() - self._began) * 1e6)
        return f"{'thinking' if self._thinking else 'working'} {passed}"


def _heading(tool: _Tool, state: Text) -> Text:
    head = Text.assemble(("● ", "cyan"), (tool.name, "bold"), "  ")
    head.append(tool.arguments, "dim")
    return Text.assemble(head, "  ", state)


def _tail(output: str) -> RenderableType:
    """Give the last lines of a tool's output, and how many stand before them."""
    lines = output.strip("\n").splitlines()
    hidden = len(lines) - _TAIL_LINES
    if hidden > 0:
        lines = [f"… {hidden} lines before", *lines[-_TAIL_LINES:]]
    if not lines:
        return Group()
    return Text("\n".join(f"  │ {line}" for line in lines), style="dim", no_wrap=True, overflow="ellipsis")


class _Trimmed:
    """Something without the empty lines above and below it."""

    def __init__(self, what: RenderableType) -> None:
        self._what = what

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._what, options, pad=False)
        full = [index for index, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
        for line in lines[full[0] : full[-1] + 1] if full else ():
            yield from line
            yield Segment.line()


class _Bottom:
    """The last lines of something that may be higher than the terminal."""

    def __init__(self, what: RenderableType, height: int) -> None:
        self._what = what
        self._height = max(height, 4)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in console.render_lines(self._what, options, pad=False)[-self._height :]:
            yield from line
            yield Segment.line()
