"""What the runtime says in its own words where the model is too small to: questions, results, refusals.

A question is recognised by its very words when its answer comes with the next message.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.runtimes.builtin.task import Tool

SHOWN_CHARS = 16_000
"""Most characters of a result that an answer repeats; the record has the whole."""
YES = re.compile(
    r"^\W*(?:y|yes|yeah|yep|yup|sure|ok|okay|please|please do|do it|go ahead|right|correct|ja)\b.{0,20}$", re.IGNORECASE
)
NO = re.compile(r"^\W*(?:n|no|nope|nah|don't|do not|stop|cancel|never mind|nein)\b.{0,40}$", re.IGNORECASE)
ACTIONS: Mapping[str, str] = {
    "read_file": "read a file",
    "write_file": "write a file",
    "edit_file": "change a file",
    "list_files": "list the files",
    "search_files": "search the files",
    "exec": "run a command",
}
WANTED: Mapping[tuple[str, str], str] = {
    ("read_file", "path"): "Which file do you want me to read?",
    ("write_file", "path"): "Into which file do you want me to write?",
    ("write_file", "content"): "What do you want me to write? Please put it in quotes.",
    ("edit_file", "path"): "Which file do you want me to change?",
    ("edit_file", "old_text"): "Which text do you want me to replace? Please put it in quotes.",
    (
        "edit_file",
        "new_text",
    ): "What do you want me to put in its place? Please say the old and the new text in quotes.",
    ("search_files", "pattern"): "Which text do you want me to search for? Please put it in quotes.",
    ("exec", "command"): "Which command do you want me to run? Please put it in quotes.",
}


@dataclass(frozen=True)
class Pending:
    """A question of ours that the user's new message may answer: about which tool, for which wish."""

    tool: str
    wish: str
    key: str = ""


def confirm(tool: str) -> str:
    """Ask whether a tool is meant."""
    return f"Do you want me to {ACTIONS.get(tool, f'use the tool {tool}')}?"


def want(tool: str, key: str) -> str:
    """Ask for an argument."""
    return WANTED.get((tool, key), f"I would use the tool {tool} for that. What is its `{key}`?")


def lack(tool: str) -> str:
    """Say that a tool is not on offer."""
    action = ACTIONS.get(tool, f"use the tool {tool}")
    return f"I would have to {action} for that, and the tool `{tool}` is not enabled for me."


DECLINED = "All right, I will not."


def pending(history: Sequence[Mapping[str, Any]], tools: Sequence[Tool]) -> Pending | None:
    """Find the question that the last answer asked, if it asked one."""
    talk = [message for message in history if message.get("role") in ("user", "assistant") and message.get("content")]
    if len(talk) < 2 or talk[-1]["role"] != "assistant" or talk[-2]["role"] != "user":  # noqa: PLR2004 - wish and question
        return None
    wish, question = str(talk[-2]["content"]), talk[-1]["content"]
    for tool in tools:
        if question == confirm(tool.name):
            return Pending(tool.name, wish)
        for key in tool.parameters.get("properties", {}):
            if question == want(tool.name, key):
                return Pending(tool.name, wish, key)
    return None


def is_talk(content: str, tools: Sequence[Tool]) -> bool:
    """Whether an earlier answer was the model's own: no result, no question, no refusal of ours."""
    if re.match(r"`\w+\([^`]*\)` (?:says|failed):\n", content) or content == DECLINED:
        return False
    keys = [(tool.name, key) for tool in tools for key in tool.parameters.get("properties", {})]
    asked = [confirm(tool.name) for tool in tools] + [want(*key) for key in keys]
    return content not in asked and "` is not enabled for me." not in content


def shown(tool: str, arguments: Mapping[str, Any], content: str, *, is_error: bool) -> str:
    """Return a tool's result as it is, quoted, with a line before it that says where it is from."""
    said = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    body = (
        content
        if len(content) <= SHOWN_CHARS
        else f"{content[:SHOWN_CHARS]}\n[… {len(content) - SHOWN_CHARS} more characters]"
    )
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"`{tool}({said[:200]})` {'failed' if is_error else 'says'}:\n\n{fence}text\n{body.rstrip()}\n{fence}"
