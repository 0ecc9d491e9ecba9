"""Runs of models that are too small to call tools: the tool is chosen by likeness, its arguments under a schema.

The model never restates what a tool said: it would get it wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.runtimes.builtin import phrases, prepared, prompt
from workers.runtimes.builtin.chatter import CHATTER
from workers.runtimes.builtin.choice import CHAT, Choice, Way, decide
from workers.runtimes.builtin.context import Budget, fit, turns
from workers.runtimes.builtin.dispatch import Request, dispatch
from workers.runtimes.builtin.failure import ContextOverflow, RunFailed
from workers.runtimes.builtin.fill import Filler, Missing
from workers.runtimes.builtin.frames import Output
from workers.runtimes.builtin.loop import Finish
from workers.runtimes.builtin.model import Model
from workers.runtimes.builtin.prepared import Prepared
from workers.runtimes.builtin.ridge import Examples, Scorer, learn
from workers.runtimes.builtin.task import Task

WISH_CHARS = 600
"""Characters of the user's text that are compared with the examples."""
TALK_TOKENS = 1024
"""Tokens of prompt beside the answer: a small model reads slowly and loses the thread."""
TALK_CHARS = 400
"""Characters kept of each earlier message."""
ANSWER_TOKENS = 192
SAMPLING = {"temperature": 0, "frequency_penalty": 0.6}
"""Found by trying: warmer it loses the thread, without the penalty it repeats itself to the end."""

PREPARED = prepared.read(prepared.FILE.read_text("utf-8"))
"""Read when the module is loaded: inside the sandbox the file may not be in reach."""


@dataclass
class Demonstration:
    """One run of at most one tool call."""

    task: Task
    model: Model
    output: Output
    known: Prepared = PREPARED

    def __post_init__(self) -> None:
        self.tools = {tool.name: tool for tool in self.task.tools}

    def run(self) -> Finish:
        """Choose, fill in, call and show; or talk; or ask back."""
        question = phrases.pending(self.task.history, self.task.tools)
        if question and phrases.NO.match(self.task.input):
            return self._say(phrases.DECLINED)
        if question and not question.key and phrases.YES.match(self.task.input):
            return self._use(question.tool, question.wish)
        choice = self._choose()
        if question and question.key and choice.way is not Way.CALL:
            return self._use(question.tool, f"{question.wish} {self.task.input}")
        if question and question.tool == choice.tool:
            return self._use(question.tool, f"{question.wish} {self.task.input}" if question.key else self.task.input)
        if choice.way is Way.CALL:
            return self._use(choice.tool, self.task.input)
        if choice.way is Way.ASK:
            return self._say(phrases.confirm(choice.tool))
        if choice.way is Way.LACK:
            return self._say(phrases.lack(choice.tool))
        return self._talk()

    def _choose(self) -> Choice:
        """Compare the wish with the examples; without embeddings there is only talk."""
        if not self.tools:
            return Choice(Way.ANSWER)
        if not self.task.embedding_model:
            return self._blind("There is no embedding model.")
        wish = self.task.input[:WISH_CHARS].strip() or "?"
        try:
            scorer = self._scorer()
            vector = self.model.embed(self.task.embedding_model, [wish], self.output)[0]
        except (RunFailed, ContextOverflow) as error:
            return self._blind(str(error))
        return decide(scorer.score(wish, vector), self.tools)

    def _blind(self, why: str) -> Choice:
        self.output.notice("tool_choice_unavailable", f"Tools cannot be chosen, so this is only talk. {why}")
        return Choice(Way.ANSWER)

    def _scorer(self) -> Scorer:
        groups = {CHAT: CHATTER} | {tool.name: tool.examples for tool in self.task.tools}
        if self.known.fits(self.task.embedding_model, groups):
            return self.known.scorer
        examples = Examples.of(groups)
        return learn(examples, prepared.embed(self.model, self.task.embedding_model, examples.sentences, self.output))

    def _use(self, name: str, wish: str) -> Finish:
        try:
            arguments = Filler(self.model, self.output).fill(self.tools[name], wish)
        except Missing as missing:
            return self._say(phrases.want(name, missing.key))
        except ContextOverflow as error:
            raise RunFailed("CONTEXT_TOO_LONG", f"The model says: {error}. Ask in fewer words.") from error
        result = dispatch(self.output, [Request("call_1", name, arguments)])["call_1"]
        text = phrases.shown(name, arguments, result.content, is_error=result.is_error)
        return self._say(text)

    def _say(self, text: str) -> Finish:
        self.output.text(text)
        self.output.flush()
        return self._finish(text)

    def _talk(self) -> Finish:
        budget = Budget(min(self.task.context_tokens, TALK_TOKENS + ANSWER_TOKENS), ANSWER_TOKENS)
        system = {"role": "system", "content": prompt.system(self.task)}
        earlier = [short(message) for turn in turns(self.task.history) if self._is_talk(turn) for message in turn]
        while True:
            fitted = fit(budget, system, earlier, [{"role": "user", "content": self.task.input}])
            tokens = min(budget.answer(fitted.tokens), self.task.max_output_tokens)
            try:
                reply = self.model.chat({"messages": fitted.messages, "max_tokens": tokens, **SAMPLING}, self.output)
            except ContextOverflow as error:
                if not budget.tighten():
                    raise RunFailed("CONTEXT_TOO_LONG", f"The model says: {error}. Ask in fewer words.") from error
                continue
            if reply.finish == "length":
                self.output.notice(
                    "output_cut", f"The answer ends after {tokens} tokens: this is a demonstration model."
                )
            return self._finish(reply.content())

    def _finish(self, text: str) -> Finish:
        asked = {"role": "user", "content": self.task.input}
        return Finish(text, [asked, {"role": "assistant", "content": text}])

    def _is_talk(self, turn: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a turn is one message each way; a small model that sees results would make up more of them."""
        roles = [message.get("role") for message in turn]
        return roles == ["user", "assistant"] and phrases.is_talk(str(turn[1].get("content") or "`"), self.task.tools)


def short(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with its text cut."""
    return {"role": message["role"], "content": str(message["content"])[:TALK_CHARS]}
