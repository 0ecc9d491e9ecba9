"""The tool loop of models that call tools themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from workers.runtimes.builtin import arguments, prompt
from workers.runtimes.builtin.breaker import Breaker
from workers.runtimes.builtin.context import Budget, Fitted, fit
from workers.runtimes.builtin.dispatch import CALLS_AT_ONCE, Request, Result, dispatch
from workers.runtimes.builtin.failure import ContextOverflow, RunFailed
from workers.runtimes.builtin.frames import Output
from workers.runtimes.builtin.model import Model
from workers.runtimes.builtin.reply import Call, Reply
from workers.runtimes.builtin.task import Task, Tool


@dataclass(frozen=True)
class Finish:
    """The end of a run: the last answer, and what the run adds to its session."""

    output: str
    messages: list[dict[str, Any]]


@dataclass
class Loop:
    """One run. `run()` returns when the model answers without calling a tool; it raises RunFailed where it cannot."""

    task: Task
    model: Model
    output: Output
    current: list[dict[str, Any]] = field(default_factory=list)
    breaker: Breaker = field(default_factory=Breaker)
    seen: set[str] = field(default_factory=set)
    told: int = 0

    def __post_init__(self) -> None:
        self.budget = Budget(self.task.context_tokens, self.task.max_output_tokens)
        self.tools = {tool.name: tool for tool in self.task.tools}
        self.offer = [offered(tool) for tool in self.task.tools]
        self.system = {"role": "system", "content": prompt.system(self.task)}
        self.current.append({"role": "user", "content": self.task.input})

    def run(self) -> Finish:
        """Go round: ask, call, answer."""
        for _ in range(self.task.max_rounds):
            reply = self._ask()
            if not reply.calls:
                return self._finish(reply)
            self._call(reply)
        raise RunFailed(
            "ROUNDS_EXHAUSTED",
            f"The model was still calling tools after {self.task.max_rounds} rounds. Ask for less at once, or raise "
            "the agent's limits.max_rounds.",
        )

    def _ask(self) -> Reply:
        while True:
            fitted = fit(self.budget, self.system, self.task.history, self.current, self.offer)
            self._tell(fitted)
            body: dict[str, Any] = {"messages": fitted.messages, "max_tokens": self.budget.answer(fitted.tokens)}
            if self.offer:
                body["tools"] = self.offer
            try:
                reply = self.model.chat(body, self.output)
            except ContextOverflow as error:
                if not self.budget.tighten():
                    raise RunFailed("CONTEXT_TOO_LONG", f"The model says: {error}. Ask for less at once.") from error
                continue
            self.budget.learn(fitted.tokens, reply.prompt_tokens)
            return reply

    def _tell(self, fitted: Fitted) -> None:
        if fitted.dropped > self.told:
            self.told = fitted.dropped
            holds = f"the model's context holds {self.task.context_tokens} tokens"
            message = f"{fitted.dropped} older messages were left out: {holds}."
            self.output.notice("context_dropped", message)

    def _finish(self, reply: Reply) -> Finish:
        text = reply.content()
        if reply.finish == "length" and not text:
            raise RunFailed(
                "MODEL_ERROR",
                f"The model used up its {self.task.max_output_tokens} output tokens before it answered. Raise the "
                "agent's limits.max_output_tokens.",
            )
        if reply.finish == "length":
            self.output.notice(
                "output_cut",
                "The answer ends where its tokens ran out. limits.max_output_tokens of the agent allows more.",
            )
        elif reply.finish == "content_filter":
            self.output.notice("content_filter", "The model's provider filtered the answer.")
        elif not text:
            self.output.notice("empty_answer", "The model ended without a word.")
        self.current.append({"role": "assistant", "content": text})
        return Finish(text, self.current)

    def _call(self, reply: Reply) -> None:
        self.breaker.new_round()
        calls = [reply.calls[index] for index in sorted(reply.calls)]
        for call in calls:
            self._identify(call)
        self.current.append(
            {"role": "assistant", "content": reply.content() or None, "tool_calls": [as_sent(call) for call in calls]}
        )
        requests: dict[str, Request] = {}
        results: dict[str, Result] = {}
        for call in calls:
            try:
                requests[call.id] = self._request(call, reply.finish, len(requests))
            except arguments.BadArguments as error:
                results[call.id] = Result(f"Error: {error}", is_error=True)
                self.output.notice("tool_call_refused", f"{call.name or 'A call without a name'}: {error}")
        results |= dispatch(self.output, list(requests.values()))
        for call in calls:
            result = results[call.id]
            made: Mapping[str, Any] | str = requests[call.id].arguments if call.id in requests else call.arguments
            warning = self.breaker.note(call.name, made, result.content, is_error=result.is_error)
            self.current.append({"role": "tool", "tool_call_id": call.id, "content": result.content + warning})

    def _identify(self, call: Call) -> None:
        """Give a call an id of its own where the model gave none or one that was there before."""
        if not call.id or call.id in self.seen:
            call.id = f"call_{len(self.seen) + 1}"
        self.seen.add(call.id)

    def _request(self, call: Call, finish: str, before: int) -> Request:
        if before == CALLS_AT_ONCE:
            raise arguments.BadArguments(f"only {CALLS_AT_ONCE} calls are run at once; make this one again.")
        tool = self.tools.get(call.name)
        if tool is None:
            close = get_close_matches(call.name, self.tools, 1)
            hint = f"Did you mean {close[0]}?" if close else f"The tools are {', '.join(self.tools) or 'none'}."
            raise arguments.BadArguments(f"there is no tool {call.name!r}. {hint}")
        try:
            return Request(call.id, call.name, arguments.read(call.arguments, tool.parameters))
        except arguments.BadArguments as error:
            if finish == "length":
                raise arguments.BadArguments(
                    f"{error} They were cut at {self.task.max_output_tokens} output tokens: send less in one call."
                ) from error
            raise


def offered(tool: Tool) -> dict[str, Any]:
    """Return a tool as the chat API takes it."""
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def as_sent(call: Call) -> dict[str, Any]:
    """Return a call as the chat API takes it back."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
