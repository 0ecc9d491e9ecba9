"""The flow of a demonstration model's run, with a scripted model."""

import math
from typing import Any

import pytest

from signet.catalog.toolsets import TOOLSETS
from tests.fakes.model_script import Answer, ModelScript, completion, embeddings, refused, text
from tests.unit.runtimes.conftest import Run
from workers.runtimes.builtin import phrases
from workers.runtimes.builtin.choice import CHAT
from workers.runtimes.builtin.demonstration import PREPARED

OFFER = [
    {"name": tool.name, "description": tool.description, "parameters": tool.parameters, "examples": list(tool.examples)}
    for group in TOOLSETS
    for tool in group.tools
]
DEMO: dict[str, Any] = {
    "profile": {"context_tokens": 4096, "tool_choice": "embedding", "demonstration": True},
    "tools": OFFER,
    "soul": "# General\n\nYou are calm. You help.\n\nA very long text follows." + "x" * 5000,
}


def meant(label: str) -> Answer:
    """Return an embedding that lies where a label's examples lie."""
    scorer = PREPARED.scorer
    length = math.sqrt(sum(value * value for value in scorer.directions[label]))
    pairs = zip(scorer.mean, scorer.directions[label], strict=True)
    return embeddings([[mean + value / length for mean, value in pairs]])


async def test_without_a_tool_it_talks_with_a_short_prompt(run: Run, model: ModelScript) -> None:
    model.answer(meant(CHAT), text("Hello!"))
    told = await run(**DEMO, input="Hello! How are you?")
    assert told.last()["output"] == "Hello!"
    named = "You are a helpful AI assistant named assistant."
    brief = "You answer in one or two short sentences."
    assert model.requests[1]["messages"][0]["content"] == f"{named} You are calm. You help. {brief}"
    assert "tools" not in model.requests[1]


async def test_without_embeddings_it_talks_and_says_why(run: Run, model: ModelScript) -> None:
    model.answer(refused(404, "model_not_found", "no e5"), text("Hello!"))
    told = await run(**DEMO)
    assert told.notices() == ["tool_choice_unavailable"]
    assert told.last()["output"] == "Hello!"


async def test_without_tools_nothing_is_compared(run: Run, model: ModelScript) -> None:
    model.answer(text("Hello!"))
    await run(**{**DEMO, "tools": []})
    assert model.paths == ["/v1/chat/completions"]


async def test_yes_to_a_question_calls_the_tool_without_comparing_again(run: Run, model: ModelScript) -> None:
    asked = [
        {"role": "user", "content": "hm, read notes.txt or so"},
        {"role": "assistant", "content": phrases.confirm("read_file")},
    ]
    told = await run(**DEMO, history=asked, input="yes")
    assert told.of("tool_call")[0]["arguments"] == {"path": "notes.txt"}
    assert told.last()["output"].endswith("```text\nread notes.txt\n```")
    assert model.paths == []


async def test_no_to_a_question_calls_nothing(run: Run) -> None:
    asked = [{"role": "user", "content": "x"}, {"role": "assistant", "content": phrases.confirm("read_file")}]
    told = await run(**DEMO, history=asked, input="no")
    assert told.last()["output"] == phrases.DECLINED


async def test_arguments_come_from_a_schema_whose_values_are_the_users_words(run: Run, model: ModelScript) -> None:
    chosen = '{"path": "hello.txt", "content": "good morning"}'
    model.answer(meant("write_file"), completion(chosen))
    told = await run(lambda _: ("Created.", False), **DEMO, input="Write good morning to hello.txt")
    schema = model.requests[1]["response_format"]["json_schema"]["schema"]["properties"]
    assert schema["path"]["enum"] == ["hello.txt"]
    assert "good morning" in schema["content"]["enum"]
    assert told.of("tool_call")[0]["arguments"] == {"path": "hello.txt", "content": "good morning"}


@pytest.mark.parametrize("said", ["", "{", '{"path": "made/up.txt", "content": "good"}', '{"path": "hello.txt"}'])
async def test_arguments_that_do_not_hold_are_asked_for(run: Run, model: ModelScript, said: str) -> None:
    model.answer(meant("write_file"), completion(said))
    told = await run(**DEMO, input="Write good morning to hello.txt")
    assert told.kinds() == ["text", "finish"]
    assert told.last()["output"].endswith("?")


async def test_two_texts_that_are_the_same_are_asked_for(run: Run, model: ModelScript) -> None:
    model.answer(meant("edit_file"))
    told = await run(**DEMO, input='Replace "x" with "x" in a.txt')
    assert told.last()["output"] == phrases.want("edit_file", "new_text")


async def test_results_and_questions_are_kept_out_of_what_the_model_reads(run: Run, model: ModelScript) -> None:
    shown = phrases.shown("read_file", {"path": "a"}, "secret fact", is_error=False)
    history = [
        {"role": "user", "content": "My name is Tom"},
        {"role": "assistant", "content": "Hello Tom"},
        {"role": "user", "content": "read a"},
        {"role": "assistant", "content": shown},
        {"role": "user", "content": "list"},
        {"role": "assistant", "content": phrases.confirm("list_files")},
    ]
    model.answer(meant(CHAT), text("Hello!"))
    await run(**DEMO, history=history, input="Hello! Who are you?")
    assert [message["content"] for message in model.requests[1]["messages"][1:]] == [
        "My name is Tom",
        "Hello Tom",
        "Hello! Who are you?",
    ]


async def test_a_tool_that_is_not_offered_is_named(run: Run, model: ModelScript) -> None:
    model.answer(meant("exec"))
    files = [tool for tool in OFFER if tool["name"] != "exec"]
    told = await run(**{**DEMO, "tools": files}, input="Execute the command df -h")
    assert told.last()["output"] == phrases.lack("exec")
