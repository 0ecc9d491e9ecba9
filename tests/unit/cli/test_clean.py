"""Nothing that an agent, a model or a tool wrote commands the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signet.cli.clean import clean, cleaned
from signet.v1 import agents_pb2, runs_pb2


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain ünïcode 日本\n\ttab", "plain ünïcode 日本\n\ttab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;c2VjcmV0\x1b\\after", "after"),
        ("\x1bPpayload\x1b\\after", "after"),
        ("\x1bcreset", "reset"),
        ("10%\r100%\r\ndone", "10%\n100%\ndone"),
        ("a\x07\x08\x9b2Jb", "a���2Jb"),
        ("user\u202egpj.exe", "user�gpj.exe"),
        ("cut off \x1b", "cut off �"),
    ],
)
def test_what_is_shown(written: str, shown: str) -> None:
    assert clean(written) == shown


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_no_control_character_is_left(written: str) -> None:
    assert not {letter for letter in clean(written) if not letter.isprintable()} - set("\n\t\xa0\xad")


def test_every_text_of_a_message_is_clean_and_the_message_itself_untouched() -> None:
    bad, good = "\x1b[2Jx", "x"
    run = runs_pb2.Run(input=bad, error=runs_pb2.RunError(message=bad), attempts=3)
    record = runs_pb2.Record(run=run, tool_calls=[runs_pb2.ToolCall(result=bad), runs_pb2.ToolCall(arguments=bad)])

    shown = cleaned(record)

    assert (shown.run.input, shown.run.error.message, shown.run.attempts) == (good, good, 3)
    assert [shown.tool_calls[0].result, shown.tool_calls[1].arguments] == [good, good]
    assert cleaned(agents_pb2.Agent(toolsets=[bad, bad])).toolsets == [good, good]
    assert record.run.input == bad
