"""The pure decisions behind a demonstration model's tools, as tables."""

from typing import Any

import pytest

from signet.catalog.toolsets import TOOLSETS
from workers.runtimes.builtin import arguments, phrases, spans
from workers.runtimes.builtin.choice import CHAT, Choice, Way, decide
from workers.runtimes.builtin.fill import in_order
from workers.runtimes.builtin.ridge import Examples, learn
from workers.runtimes.builtin.shots import SHOTS
from workers.runtimes.builtin.task import Tool
from workers.runtimes.builtin.words import features

CATALOG = {tool.name: tool for group in TOOLSETS for tool in group.tools}
TOOLS = [Tool(tool.name, tool.description, tool.parameters, tool.examples) for tool in CATALOG.values()]


@pytest.mark.parametrize(
    ("scores", "offered", "choice"),
    [
        ({CHAT: 0.9, "a": 0.1}, ["a"], Choice(Way.ANSWER)),
        ({CHAT: 0.1, "a": 0.9}, ["a"], Choice(Way.CALL, "a")),
        ({CHAT: 0.1, "a": 0.5, "b": 0.45}, ["a", "b"], Choice(Way.ASK, "a")),
        ({CHAT: 0.5, "a": 0.45}, ["a"], Choice(Way.ASK, "a")),
        ({CHAT: 0.1, "a": 0.5, "b": 0.45}, ["b"], Choice(Way.ASK, "b")),
        ({CHAT: 0.1, "a": 0.9, "b": 0.1}, ["b"], Choice(Way.LACK, "a")),
        ({CHAT: 0.5, "a": 0.48}, ["b"], Choice(Way.ANSWER)),
        ({CHAT: -0.1, "a": 0.1}, ["a"], Choice(Way.ASK, "a")),
        ({CHAT: 0.1, "a": 0.9}, [], Choice(Way.ANSWER)),
        ({}, ["a"], Choice(Way.ANSWER)),
    ],
)
def test_a_clear_lead_acts_a_small_one_asks_and_what_is_not_offered_is_said(
    scores: dict[str, float], offered: list[str], choice: Choice
) -> None:
    assert decide(scores, offered) == choice


def test_learning_tells_labels_apart_by_words_where_embeddings_cannot() -> None:
    examples = Examples.of({"w": ["write a", "write b", "please write"], "r": ["read a", "read b", "please read"]})
    same = [[1.0, 0.0, float(number)] for number in (1, 2, 3, 1, 2, 3)]
    scores = learn(examples, same).score("write c", [1.0, 0.0, 2.0])
    assert scores["w"] > scores["r"] + 0.2


def test_learning_gives_examples_their_own_label() -> None:
    examples = Examples.of({"x": ["one", "two"], "y": ["three", "four"]})
    rows = [[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]]
    scorer = learn(examples, rows)
    for label, sentence, row in zip(examples.labels, examples.sentences, rows, strict=True):
        scores = scorer.score(sentence, row)
        assert max(scores, key=lambda name: scores[name]) == label


def test_paths_and_quotes_are_words_of_their_own() -> None:
    assert set(features('save "x y" to a/b.txt')) >= {"^save", "save", "TEXT", "FILE", "to FILE"}


@pytest.mark.parametrize(
    ("text", "folder", "found"),
    [
        ("read src/app.py and README.md.", False, ["src/app.py", "README.md"]),
        ("open README", False, ["README"]),
        ("read the file diary please", False, ["diary"]),
        ("read the file please", False, []),
        ("search for TODO", True, []),
        ("what is in the folder music?", True, ["music"]),
        ("list the music directory", True, ["music"]),
        ("list this directory", True, []),
        ("version 1.0 is out", False, []),
    ],
)
def test_paths_are_found_in_words(text: str, folder: bool, found: list[str]) -> None:  # noqa: FBT001 - a table's column
    assert spans.paths(text, folder=folder) == found


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("run cat /etc/os-release please", "cat /etc/os-release"),
        ("please execute `ls -l | wc -l`", "ls -l | wc -l"),
        ("run the script build.sh", "sh build.sh"),
        ("how much time is left?", None),
        ("would you run the command ls -l for me?", "ls -l"),
    ],
)
def test_commands_are_found_in_words(text: str, first: str | None) -> None:
    assert next(iter(spans.commands(text)), None) == first


def test_spans_of_a_very_long_text_are_bounded() -> None:
    assert len(spans.spans("many different words " * 10_000)) <= spans.CHOICES
    assert len(spans.texts(" ".join(map(str, range(100_000))))) <= spans.CHOICES


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("swap apple for pear", "apple", "pear"),
        ("use pear instead of apple", "apple", "pear"),
    ],
)
def test_old_and_new_are_put_in_the_order_they_are_said(text: str, old: str, new: str) -> None:
    for first, second in ((old, new), (new, old)):
        assert in_order({"old_text": first, "new_text": second}, text) == {"old_text": old, "new_text": new}


def test_shots_fit_the_catalogs_schemas_and_its_tools() -> None:
    assert set(SHOTS) == set(CATALOG)
    for name, shots in SHOTS.items():
        assert len(shots) == 3
        for wish, values in shots:
            assert arguments.check(values, CATALOG[name].parameters) == []
            assert all(value in wish for value in values.values()), "an example must not teach to make things up"


@pytest.mark.parametrize(
    ("question", "pending"),
    [
        (phrases.confirm("list_files"), phrases.Pending("list_files", "wish")),
        (phrases.want("read_file", "path"), phrases.Pending("read_file", "wish", "path")),
        ("What a day!", None),
    ],
)
def test_a_question_of_ours_is_recognised_when_its_answer_comes(question: str, pending: phrases.Pending | None) -> None:
    history: list[dict[str, Any]] = [{"role": "user", "content": "wish"}, {"role": "assistant", "content": question}]
    assert phrases.pending(history, TOOLS) == pending


@pytest.mark.parametrize("word", ["yes", "Yes!", "ok", "sure, do it", "y", "please do"])
def test_consent_is_understood(word: str) -> None:
    assert phrases.YES.match(word)
    assert not phrases.NO.match(word)


@pytest.mark.parametrize("word", ["no", "No, thanks", "don't", "never mind", "stop"])
def test_refusal_is_understood(word: str) -> None:
    assert phrases.NO.match(word)
    assert not phrases.YES.match(word)


def test_a_result_is_quoted_word_for_word_behind_a_fence_that_it_cannot_close() -> None:
    content = "a\n```\nb\n````\nc"
    shown = phrases.shown("read_file", {"path": "x"}, content, is_error=False)
    assert shown == f"`read_file(path='x')` says:\n\n`````text\n{content}\n`````"
    assert not phrases.is_talk(shown, TOOLS)
    assert "failed" in phrases.shown("exec", {}, "no", is_error=True)
