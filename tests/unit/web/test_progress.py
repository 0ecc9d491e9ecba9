"""A run's page is a pure fold of its events: the same for who watches, who comes late, and who comes back."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signet.v1 import events_pb2 as pb
from signet.v1 import usage_pb2
from web.parts import Prose, summarize
from web.patch import Operation, patch
from web.progress import OUTPUT_CHARACTERS, Progress
from web.views import Views

VIEWS = Views()


def numbered(*kinds: dict[str, Any]) -> list[pb.RunEvent]:
    events = [pb.RunEvent(run="runs/r", sequence=index, **kind) for index, kind in enumerate(kinds, 1)]
    for event in events:
        event.time.FromMilliseconds(1_800_000_000_000 + event.sequence * 1000)
    return events


def text(piece: str) -> dict[str, Any]:
    return {"text": pb.TextDelta(text=piece)}


CREATED = {"created": pb.RunCreated(agent="agents/assistant", model="models/m", input="Do **it**")}
CLAIMED = {"claimed": pb.RunClaimed(worker="workers/one", attempt=1)}
STARTED = {"tool_call_started": pb.ToolCallStarted(id="c", tool="exec", arguments='{"command":"ls"}', verdict="allow")}
OUTPUT = {"tool_output": pb.ToolOutput(id="c", text="a\nb\n")}
ENDED = {"tool_call_finished": pb.ToolCallFinished(id="c", result="a\nb\n", duration_micros=5000)}
FINISHED = {"finished": pb.RunFinished(outcome="SUCCEEDED", output="Done.", usage=usage_pb2.Usage(input_tokens=7))}
WHOLE = numbered(
    CREATED, CLAIMED, text("First"), text(" one.\n\nSec"), text("ond.\n\n```py\nx"), STARTED, OUTPUT, OUTPUT, ENDED,
    {"notice": pb.Notice(code="output_cut", message="Cut `here`")}, text("Do"), text("ne."), FINISHED,
)  # fmt: skip


def folded(events: list[pb.RunEvent]) -> Progress:
    progress = Progress("runs/r")
    progress.feed(events)
    progress.clean()
    return progress


def test_text_before_and_after_a_tool_call_are_two_parts() -> None:
    parts = folded(WHOLE).parts

    assert [type(part).__name__ for part in parts] == ["Prose", "Call", "Remark", "Prose"]


def test_an_answer_that_never_came_as_text_is_shown_from_the_end() -> None:
    progress = folded(numbered(CREATED, CLAIMED, FINISHED))

    assert [part.text for part in progress.parts if isinstance(part, Prose)] == ["Done."]


def test_the_answer_is_not_shown_twice() -> None:
    assert sum("Done." in part.text for part in folded(WHOLE).parts if isinstance(part, Prose)) == 1


def test_an_event_that_was_taken_changes_nothing_again() -> None:
    progress = folded(WHOLE[:8])
    before = VIEWS.live("turn", progress, 0)
    progress.feed(WHOLE[:8])

    assert VIEWS.live("turn", progress, 0) == before


def test_text_since_the_claim_is_void_when_the_worker_is_lost() -> None:
    lost = {"attempt_lost": pb.AttemptLost(worker="workers/one", attempt=1, retried=True)}
    progress = Progress("runs/r")
    progress.feed(numbered(CREATED, CLAIMED, text("half an ans"), STARTED, lost, CLAIMED, text("Whole.")))

    assert [part.text for part in progress.parts if isinstance(part, Prose)] == ["Whole."]
    assert "was lost during attempt 1. The run is offered again." in VIEWS.live("turn", progress, 0)
    assert {step.state for step in progress.steps} == {"done", "lost"}


def test_a_call_that_runs_is_told_with_its_arguments_output_and_time() -> None:
    progress = folded(WHOLE[:7])
    call = progress.running_call
    assert call is not None

    html = VIEWS.live("execution", progress, call.started + 2_300_000)
    assert "exec" in html
    assert "&#34;command&#34;: &#34;ls&#34;" in html
    assert "a\nb\n" in html
    assert 'data-elapsed="2300"' in html
    assert "Stop" in html


def test_the_output_shown_is_bounded() -> None:
    flood = {"tool_output": pb.ToolOutput(id="c", text="x" * 50_000)}
    call = folded(numbered(CREATED, CLAIMED, STARTED, flood, flood)).running_call
    assert call is not None

    assert len(call.output) == OUTPUT_CHARACTERS
    assert call.cut


def test_a_kind_of_a_newer_control_is_passed_over() -> None:
    assert folded([*WHOLE[:2], pb.RunEvent(sequence=3)]).sequence == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ('{"command": "ls -l\\n| wc"}', "ls -l | wc"),
        ('{"path": "a.txt", "content": "long"}', "a.txt"),
        ('{"a": 1, "b": [2]}', "a: 1, b: [2]"),
        ("not json", "not json"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_a_call_is_summed_up_by_its_telling_argument(arguments: str, line: str) -> None:
    assert summarize(arguments) == line


class Page:
    """What the browser's patch.js does, on a tree of ids: enough to compare pages."""

    def __init__(self, progress: Progress) -> None:
        self.html = VIEWS.live("turn", progress, 0) + VIEWS.live("execution", progress, 0)

    def apply(self, operations: list[Operation]) -> None:
        for one in operations:
            if "put" in one:
                self._put(one)
            elif "add" in one:
                self._add(one)
            elif "drop" in one:
                start, end = self._span(one["drop"])
                self.html = self.html[:start] + self.html[end:]

    def _put(self, one: Operation) -> None:
        if f'id="{one["put"]}"' in self.html:
            start, end = self._span(one["put"])
            self.html = self.html[:start] + one["html"] + self.html[end:]
        elif one["into"]:
            _, end = self._span(one["into"])
            close = self.html.rindex("</", 0, end)
            self.html = self.html[:close] + one["html"] + self.html[close:]

    def _add(self, one: Operation) -> None:
        start, end = self._span(one["add"])
        old = self.html[start:end]
        if f'data-length="{one["at"]}"' in old:
            new = old.replace(f'data-length="{one["at"]}"', f'data-length="{one["at"] + one["length"]}"')
            new = new.replace("output empty", "output").replace("</pre>", f"{one['text']}</pre>")
            self.html = self.html[:start] + new + self.html[end:]

    def _span(self, ident: str) -> tuple[int, int]:
        at = self.html.index(f'id="{ident}"')
        start = self.html.rindex("<", 0, at)
        tag = re.match(r"<(\w+)", self.html[start:])
        assert tag is not None
        depth = 0
        for found in re.finditer(rf"<(/?){tag[1]}\b[^>]*>", self.html[start:]):
            depth += -1 if found[1] else 1
            if depth == 0:
                return start, start + found.end()
        raise AssertionError(ident)

    @property
    def compared(self) -> str:
        """The page without what a loaded page and a watched one may differ in: clocks, positions, white space."""
        html = re.sub(r'data-(elapsed|topic)="[^"]*"|<span class="clock"[^>]*>[^<]*</span>', "", self.html)
        return re.sub(r"\s+", "", html)


@given(st.lists(st.integers(1, len(WHOLE) - 1), max_size=6), st.integers(1, len(WHOLE)))
def test_a_page_that_watched_is_the_page_that_loads_at_the_end(cuts: list[int], first: int) -> None:
    """However the events were gathered into messages, and wherever the page came in."""
    watched = Progress("runs/r")
    watched.feed(WHOLE[:first])
    watched.clean()
    page = Page(watched)
    for cut in [*sorted(cuts), len(WHOLE)]:
        watched.feed(WHOLE[:cut])
        page.apply(patch(watched, VIEWS, 0))

    assert page.compared == Page(folded(WHOLE)).compared


@given(st.integers(1, len(WHOLE)), st.integers(1, len(WHOLE)))
def test_a_page_that_comes_back_is_drawn_from_where_it_was(seen: int, drawn: int) -> None:
    """A stream resumed after `seen` brings a page, drawn to `drawn` at least that far, to the same end."""
    page = Page(folded(WHOLE[: max(seen, drawn)]))
    resumed = Progress("runs/r")
    resumed.feed(WHOLE[: min(seen, drawn)])
    resumed.clean()
    resumed.feed(WHOLE)
    page.apply(patch(resumed, VIEWS, 0))

    assert page.compared == Page(folded(WHOLE)).compared


def test_blocks_are_read_out_when_they_are_whole_and_not_before() -> None:
    progress = Progress("runs/r")
    progress.feed(WHOLE[:3])
    first = [one["say"] for one in patch(progress, VIEWS, 0) if "say" in one]
    progress.feed(WHOLE[:5])
    second = [one["say"] for one in patch(progress, VIEWS, 0) if "say" in one]

    assert first == []
    assert second == ["First one. Second."]
