"""What a person sees of a run at a terminal, read back from a terminal emulation."""

import io

import pytest
from rich.console import Console

from signet.cli.call import Call
from signet.cli.view import live
from signet.cli.view.plain import Plain
from signet.v1 import events_pb2
from tests.fakes.control import failed, notice, text, tool


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()

    def console(**_: object) -> Console:
        return Console(file=out, force_terminal=True, width=80, height=24, highlight=False, color_system=None)

    monkeypatch.setattr(live, "Console", console)
    return out


def finished(outcome: str = "SUCCEEDED") -> events_pb2.RunEvent:
    return events_pb2.RunEvent(run="runs/1", finished=events_pb2.RunFinished(outcome=outcome))


def shown(screen: io.StringIO) -> list[str]:
    """Play what was written on a terminal: carriage return, erase line, cursor up; the rest is text."""
    lines, row, column = [""], 0, 0
    rest = screen.getvalue()
    while rest:
        for code, act in (("\x1b[2K", "erase"), ("\x1b[1A", "up"), ("\x1b[?25l", ""), ("\x1b[?25h", "")):
            if rest.startswith(code):
                rest = rest[len(code) :]
                if act == "erase":
                    lines[row] = ""
                row -= act == "up"
                break
        else:
            letter, rest = rest[0], rest[1:]
            if letter == "\n":
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            elif letter == "\r":
                column = 0
            elif letter == "\x1b":
                rest = rest.partition("m")[2]
            else:
                lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
                column += 1
    return [line.rstrip() for line in lines]


def play(view: live.Live, *events: events_pb2.RunEvent) -> None:
    for event in events:
        view.show(event)
        view.tick()
    view.close()


def test_an_answer_grows_and_stands_once(screen: io.StringIO) -> None:
    pieces = [text(piece) for piece in ("One **bo", "ld** word.\n", "\nSecond ", "paragraph.")]

    play(live.Live(Call()), *pieces, finished())

    assert [line for line in shown(screen) if line] == ["One bold word.", "Second paragraph.", "✓ signet runs show 1"]


def test_a_table_that_grows_leaves_no_ghost(screen: io.StringIO) -> None:
    source = "Before.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"

    play(live.Live(Call()), *(text(letter) for letter in source), finished())

    lines = [line for line in shown(screen) if line]
    assert lines[0] == "Before."
    assert sum("1" in line and "2" in line for line in lines) == 1


def test_a_tool_call_shows_arguments_while_it_runs_and_stays_with_its_tail(screen: io.StringIO) -> None:
    output = [f"line {index}\n" for index in range(9)]
    started, *pieces, ended = tool("exec", '{"command":"make"}', "all", output=output)
    view = live.Live(Call())
    view.show(started)
    view.tick()
    assert 'exec  command="make"  ' in shown(screen)[0]

    play(view, *pieces, ended, finished())

    lines = [line for line in shown(screen) if line]
    assert lines[0] == '● exec  command="make"  ✓ 12 ms'
    assert lines[1:4] == ["  │ … 3 lines before", "  │ line 3", "  │ line 4"]
    assert lines[7] == "  │ line 8"


def test_escape_sequences_of_a_tool_do_not_reach_the_terminal(screen: io.StringIO) -> None:
    nasty = "\x1b[2J\x1b]0;title\x07plain\x1b[31mred"

    play(live.Live(Call()), *tool("exec", "{}", nasty, output=[nasty]), text("a \x1b[2Jb"), finished())

    assert "\x1b[2J" not in screen.getvalue()
    assert "\x1b]0" not in screen.getvalue()
    assert "plainred" in screen.getvalue()


def test_a_higher_answer_than_the_terminal_shows_its_end(screen: io.StringIO) -> None:
    view = live.Live(Call())
    view.show(text("\n".join(f"- item {index}" for index in range(100))))
    view.tick()

    lines = [line for line in shown(screen) if line]
    assert len(lines) <= 24
    assert lines[-1].endswith("item 99")
    view.close()


def test_quiet_shows_the_answer_alone(screen: io.StringIO) -> None:
    play(live.Live(Call(quiet=True)), *tool("exec", "{}", "out"), notice("x", "careful"), text("Answer."), finished())

    assert [line for line in shown(screen) if line] == ["Answer."]


def test_a_failure_says_why(screen: io.StringIO) -> None:
    play(live.Live(Call()), failed("MODEL_UNAVAILABLE", "nobody answers"))

    assert "failed: nobody answers (MODEL_UNAVAILABLE)" in "\n".join(shown(screen))


def test_a_lost_attempt_voids_what_was_said(screen: io.StringIO) -> None:
    lost = events_pb2.RunEvent(attempt_lost=events_pb2.AttemptLost(worker="workers/w", attempt=1, retried=True))

    play(live.Live(Call()), text("half"), lost, text("whole"), finished())

    said = "\n".join(shown(screen))
    assert said.index("half") < said.index("is void") < said.index("whole")


def test_in_a_pipe_the_answer_is_what_stands_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    view = Plain(Call(), streaming=False)
    end = finished()
    end.finished.output = "whole"
    for event in (text("half"), *tool("exec", "{}", "x"), end):
        view.show(event)
    view.close()

    caught = capsys.readouterr()
    assert caught.out == "whole\n"
    assert "exec" in caught.err
