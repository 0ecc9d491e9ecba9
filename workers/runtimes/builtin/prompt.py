"""What a model is told before the conversation."""

from collections.abc import Sequence
from datetime import UTC, datetime

from workers.runtimes.builtin.task import Task, Tool

DEMONSTRATION_CHARS = 320
"""Most characters of the soul that a demonstration model reads: it reads 300 tokens a second."""


def system(task: Task) -> str:
    """Return the system prompt: the soul's text, then short facts."""
    if task.demonstration:
        told = f"You are a helpful AI assistant named {task.agent}. {opening(task.soul)}"
        return f"{told} You answer in one or two short sentences."
    facts = [
        f"- You are the agent `{task.agent}`; this machine's date is {datetime.now(UTC):%A, %Y-%m-%d} (UTC).",
        "- Your workspace is `/workspace`: relative paths start there, its files stay from one message to the next.",
        "- You run in a sandbox with no network of its own." + said(task.tools),
    ]
    return f"{task.soul.strip()}\n\n# Facts\n\n" + "\n".join(facts)


def said(tools: Sequence[Tool]) -> str:
    """Name the tools."""
    if not tools:
        return " You have no tools: say so when something would need one."
    names = ", ".join(f"`{tool.name}`" for tool in tools)
    return f" Your tools: {names}. Use them for facts about files and the machine; never make up what one would say."


def opening(soul: str) -> str:
    """Return the first paragraph of prose of a soul, cut at a sentence to DEMONSTRATION_CHARS."""
    paragraphs = (" ".join(part.split()) for part in soul.split("\n\n"))
    first = next((part for part in paragraphs if part and not part.startswith("#")), "You are a helpful assistant.")
    if len(first) <= DEMONSTRATION_CHARS:
        return first
    cut = first[:DEMONSTRATION_CHARS]
    end = cut.rfind(". ")
    return cut[: end + 1] if end > 0 else cut
