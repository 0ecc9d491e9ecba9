"""Keeping a request inside the model's context."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.runtimes.builtin.failure import RunFailed

ASCII_PER_TOKEN = 3.2
"""Characters of ASCII text that one token holds, on the low side: English has 4 and more, code and JSON about 3."""
OTHER_PER_TOKEN = 1.2
"""The same for other scripts."""
MESSAGE_TOKENS = 6
"""What a message costs beside its text."""
DROPPED = "[An older tool result was dropped to fit the model's context. Call the tool again if it is needed.]"
LEAST_OUTPUT = 64
"""Tokens that an answer must have room for."""


@dataclass
class Budget:
    """How much fits: an estimate, corrected by the counts that the model's side reports."""

    context_tokens: int
    output_tokens: int
    factor: float = 1.0

    def estimate(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> int:
        """Estimate the tokens of a prompt, rather high than low."""
        raw = sum(weight(message) + MESSAGE_TOKENS for message in messages) + sum(weight(tool) for tool in tools)
        return int(raw * self.factor) + 1

    def learn(self, estimated: int, counted: int) -> None:
        """Correct the estimate upwards by a real count; it is never made lower than the first guess."""
        if counted and estimated:
            self.factor = min(max(self.factor, 1.05 * self.factor * counted / estimated), 4.0)

    def tighten(self) -> bool:
        """Estimate higher, as the model says it was too long. False when that was done often enough."""
        if self.factor >= 4.0:  # noqa: PLR2004 - the same bound as learn()
            return False
        self.factor = min(self.factor * 1.5, 4.0)
        return True

    def room(self) -> int:
        """Tokens for the prompt, leaving the answer its share: what it may have, but at most a quarter."""
        return self.context_tokens - max(min(self.output_tokens, self.context_tokens // 4), LEAST_OUTPUT)

    def answer(self, prompt_tokens: int) -> int:
        """Tokens to allow the answer behind a prompt."""
        return max(min(self.output_tokens, self.context_tokens - prompt_tokens), LEAST_OUTPUT)


@dataclass(frozen=True)
class Fitted:
    """Messages that fit, and how many older ones were left out."""

    messages: list[dict[str, Any]]
    dropped: int
    tokens: int


def fit(
    budget: Budget,
    system: Mapping[str, Any],
    history: Sequence[dict[str, Any]],
    current: Sequence[dict[str, Any]],
    tools: Sequence[Mapping[str, Any]] = (),
) -> Fitted:
    """Choose what to send: all of this run, and as much of the newest history as fits, whole turns at a time.

    Where this run alone is too long, its older tool results are dropped too; raises RunFailed CONTEXT_TOO_LONG where
    even that is too much.
    """
    kept, dropped, shrunk = turns(history), 0, list(current)
    while True:
        messages = [dict(system), *(message for turn in kept for message in turn), *shrunk]
        tokens = budget.estimate(messages, tools)
        if tokens <= budget.room():
            return Fitted(messages, dropped, tokens)
        if kept:
            dropped += len(kept.pop(0))
            continue
        index = droppable(shrunk)
        if index is None:
            raise RunFailed(
                "CONTEXT_TOO_LONG",
                f"The request needs about {tokens} tokens, and the model takes {budget.context_tokens} with "
                f"{budget.context_tokens - budget.room()} kept for its answer. Ask for less at once, put long text in "
                "a file of the workspace, or give the agent a model with a larger context.",
            )
        shrunk[index] = {**shrunk[index], "content": DROPPED}
        dropped += 1


def droppable(messages: Sequence[Mapping[str, Any]]) -> int | None:
    """Find the oldest tool result worth dropping; the last message is kept if any other will do."""
    places = [
        i for i, m in enumerate(messages) if m.get("role") == "tool" and len(str(m.get("content"))) > len(DROPPED)
    ]
    return places[0] if places else None


def turns(history: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Part a history where the user speaks, so that a tool call never loses its result."""
    parted: list[list[dict[str, Any]]] = []
    for message in history:
        if message.get("role") == "user" or not parted:
            parted.append([])
        parted[-1].append(message)
    return parted


def weight(value: Mapping[str, Any]) -> float:
    """Estimate the tokens of a message's or a tool's text."""
    content = value.get("content")
    text = content if isinstance(content, str) and len(value) <= 2 else json.dumps(value, ensure_ascii=False)  # noqa: PLR2004
    other = 0 if text.isascii() else sum(not char.isascii() for char in text)
    return (len(text) - other) / ASCII_PER_TOKEN + other / OTHER_PER_TOKEN
