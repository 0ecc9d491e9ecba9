"""`signet chat` and `signet run` at a terminal: what a person types and sees."""

from collections.abc import Iterator

import pytest

from signet.v1 import runs_pb2 as pb
from signet.v1 import sessions_pb2
from tests.fakes.control import Hold, notice, text, tool
from tests.fakes.hosted import Hosted
from tests.integration.cli.conftest import ROOT, Cli
from tests.integration.cli.terminal import Terminal

ALT_ENTER = "\x1b\r"
CTRL_C, CTRL_D = "\x03", "\x04"
PROMPT = "▸ "


@pytest.fixture
def chat(cli: Cli) -> Iterator[Terminal]:
    with Terminal(cli.argv("chat", "assistant"), cli.environment, str(ROOT)) as terminal:
        greeting = terminal.wait_for(PROMPT)
        assert "assistant · default → embedded/smollm2 (a demonstration model)" in greeting
        assert "Ctrl-D leaves" in greeting
        yield terminal


def asked(fleet: Hosted) -> list[str]:
    return [request.input for request in fleet.state.asked(pb.CreateRunRequest)]


def test_a_talk_of_two_turns_is_one_session(chat: Terminal, fleet: Hosted) -> None:
    chat.type("Say hello\r")
    chat.wait_for("Hello from a fake fleet.")  # Markdown: no asterisks
    chat.wait_for(PROMPT)
    chat.type(f"first line{ALT_ENTER}second line\r")
    chat.wait_for("Hello from a fake fleet.")
    chat.wait_for(PROMPT)
    chat.type(CTRL_D)

    assert chat.process.wait(20) == 0
    assert asked(fleet) == ["Say hello", "first line\nsecond line"]
    assert len({request.session for request in fleet.state.asked(pb.CreateRunRequest)}) == 1
    assert fleet.home.root.joinpath("chat_history").read_text().count("+") == 3


def test_tool_calls_are_shown_with_arguments_and_output(chat: Terminal, fleet: Hosted) -> None:
    fleet.state.scripts["look"] = (
        *tool("exec", '{"command": "ls"}', "a.txt\nb.txt", output=["a.txt\n", "b.txt\n"]),
        text("Two files."),
    )

    chat.type("look\r")

    shown = chat.wait_for("Two files.")
    assert 'exec  command="ls"  ✓ 12 ms' in shown
    assert "│ a.txt" in shown


def test_that_the_model_is_a_demonstration_is_said_once(chat: Terminal, fleet: Hosted) -> None:
    fleet.state.scripts["hi"] = (notice("demonstration_model", "small"), notice("other", "careful"), text("Hi!"))

    chat.type("hi\r")

    shown = chat.wait_for("Hi!")
    assert "! careful" in shown
    assert "! small" not in shown


def test_ctrl_c_stops_the_turn_and_not_the_talk(chat: Terminal, fleet: Hosted) -> None:
    fleet.state.scripts["wait"] = (text("begun"), Hold())
    chat.type("wait\r")
    chat.wait_for("begun")
    assert not chat.echoes

    chat.type(CTRL_C)

    chat.wait_for("■ stopped")
    chat.wait_for(PROMPT)
    assert fleet.state.asked(pb.CancelRunRequest)
    chat.type("still there?\r")
    chat.wait_for("Hello from a fake fleet.")
    chat.wait_for(PROMPT)
    chat.type(CTRL_D)
    assert chat.process.wait(20) == 0
    assert chat.echoes


def test_ctrl_c_at_the_prompt_empties_the_line(chat: Terminal, fleet: Hosted) -> None:
    chat.type("never mind")
    chat.wait_for("never mind")
    chat.type(CTRL_C)
    chat.wait_for(PROMPT)
    chat.type("/quit\r")

    assert chat.process.wait(20) == 0
    assert asked(fleet) == []


def test_slash_commands(chat: Terminal, fleet: Hosted) -> None:
    chat.type("/help\r")
    assert "/sessions" in chat.wait_for("is written with //")
    chat.wait_for(PROMPT)
    chat.type("/bogus\r")
    chat.wait_for("error: there is no /bogus")
    chat.wait_for(PROMPT)
    chat.type("first talk\r")
    chat.wait_for("Hello from")
    chat.wait_for(PROMPT)
    chat.type("/new\r")
    chat.wait_for("a new conversation")
    chat.wait_for(PROMPT)
    chat.type("second talk\r")
    chat.wait_for("Hello from")
    chat.wait_for(PROMPT)
    chat.type("/sessions\r")
    listed = chat.wait_for("first talk")
    assert "second talk" in listed
    chat.wait_for(PROMPT)
    chat.type("/sessions 2\r")
    chat.wait_for("going on with")
    chat.wait_for("first talk")
    chat.wait_for(PROMPT)
    chat.type("/show\r")
    chat.wait_for("permissions")
    chat.wait_for(PROMPT)
    chat.type("//slash\r")
    chat.wait_for("Hello from")
    chat.wait_for(PROMPT)

    assert asked(fleet) == ["first talk", "second talk", "/slash"]
    sessions = [request.session for request in fleet.state.asked(pb.CreateRunRequest)]
    assert sessions[0] == sessions[2] != sessions[1]
    assert len(fleet.state.asked(sessions_pb2.CreateSessionRequest)) == 2


def test_a_fleet_that_goes_away_ends_a_turn_and_not_the_talk(chat: Terminal, fleet: Hosted) -> None:
    del fleet.state.agents["agents/assistant"]
    chat.type("anyone?\r")
    chat.wait_for("error: no agent is named 'agents/assistant'")
    chat.wait_for(PROMPT)
    chat.type(CTRL_D)

    assert chat.process.wait(20) == 0


def test_a_run_at_a_terminal_can_be_interrupted(cli: Cli, fleet: Hosted) -> None:
    fleet.state.scripts["wait"] = (text("begun"), Hold())
    with Terminal(cli.argv("run", "assistant", "wait"), cli.environment, str(ROOT)) as terminal:
        terminal.wait_for("begun")
        terminal.type(CTRL_C)
        terminal.wait_for("cancelled; what it did until then: signet runs show")

        assert terminal.process.wait(20) == 130
        assert terminal.echoes
        assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")


@pytest.mark.parametrize(
    ("switch", "colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
def test_colours_are_for_terminals_that_want_them(cli: Cli, switch: dict[str, str], colours: bool) -> None:  # noqa: FBT001 - a parameter of the table
    with Terminal(cli.argv("worker", "list"), cli.environment | switch, str(ROOT)) as terminal:
        terminal.wait_for("ready")

        assert terminal.process.wait(20) == 0
        assert ("\x1b[3" in terminal.seen) is colours
