"""One run as a page shows it: folded from its events in order, the same for a page that loads and one that watches."""

from collections.abc import Callable, Iterable

from signet.kit.times import micros
from signet.v1 import events_pb2, runs_pb2
from web import egress, markdown
from web.parts import Call, Part, Prose, Question, Remark, Step

OUTPUT_CHARACTERS = 65_536
"""How much of a tool's output is shown; the record holds the whole."""


class Progress:
    """A run as its events tell it. `feed` takes them in order; `changed` and `dropped` say what a page must redraw."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.key = run.partition("/")[2]
        self.state = "PENDING"
        self.agent = self.model = self.input = self.worker = self.reason = self.message = self.record = ""
        self.rings: tuple[str, ...] = ()  # digests of the stamp, from the run: no event carries them
        self.asked_at = self.ended_at = self.sequence = self.attempt = 0
        self.cancelling = False
        self.input_tokens = self.output_tokens = 0
        self.parts: list[Part] = []
        self.steps: list[Step] = []
        self.layers: list[events_pb2.IsolationLayer] = []
        self.changed: dict[str, Part | Step | None] = {}
        self.dropped: list[str] = []
        self.said: list[str] = []
        self._calls: dict[str, tuple[Call, Step]] = {}
        self._models: dict[int, Step] = {}
        self._claim_part = 0
        self._reached: dict[tuple[str, ...], tuple[Step, int]] = {}
        self._questions: dict[str, Question] = {}

    @property
    def active(self) -> bool:
        """Whether more will come."""
        return self.state in {"PENDING", "RUNNING", "WAITING"}

    @property
    def asks(self) -> bool:
        """Whether a person's answer is waited for."""
        return self.active and any(question.open for question in self._questions.values())

    @property
    def html_input(self) -> str:
        """What was asked, as safe HTML."""
        return markdown.render(self.input)

    @property
    def running_call(self) -> Call | None:
        """The newest tool call that has not ended."""
        return next((step.call for step in reversed(self.steps) if step.call and step.state == "running"), None)

    def feed(self, events: Iterable[events_pb2.RunEvent]) -> None:
        """Take the next events. One that was taken already changes nothing."""
        for event in events:
            if event.sequence > self.sequence:
                self.sequence = event.sequence
                self._take(event)

    def settle(self) -> None:
        """Render what can be rendered, before it is drawn."""
        for part in self.parts:
            if isinstance(part, Prose):
                part.settle()

    def seal(self, run: runs_pb2.Run) -> None:
        """Take from the run what no event tells: the digests of its stamp and its record."""
        stamp = run.stamp
        self.rings = (stamp.soul, stamp.tools, stamp.runtime, stamp.model, stamp.permissions)
        self.record = run.record_digest

    def clean(self) -> None:
        """Note that the page has all of it."""
        self.settle()
        for part in self.parts:
            if isinstance(part, Prose):
                part.sent_pieces, part.spoken = len(part.pieces), part.settled_characters
            elif isinstance(part, Call):
                part.sent_output = len(part.output)
        self.changed.clear()
        self.dropped.clear()
        self.said.clear()

    def _take(self, event: events_pb2.RunEvent) -> None:
        takers: dict[str, Callable[[events_pb2.RunEvent, int], None]] = {
            "created": self._created,
            "claimed": self._claimed,
            "sandbox_opened": self._sandbox,
            "model_call_started": self._model_started,
            "model_call_finished": self._model_finished,
            "text": lambda event, _: self._prose("text", event.text.text, event.sequence),
            "reasoning": lambda event, _: self._prose("reasoning", event.reasoning.text, event.sequence),
            "tool_call_started": self._call_started,
            "tool_output": self._call_output,
            "tool_call_finished": self._call_finished,
            "notice": self._noticed,
            "attempt_lost": self._lost,
            "cancel_requested": self._cancelled,
            "finished": self._finished,
            "egress_decided": self._egress,
            "approval_requested": self._asked,
            "approval_answered": self._answered,
            "policy_loaded": self._policy_loaded,
        }
        taker = takers.get(event.WhichOneof("kind") or "")
        if taker:  # a kind of a newer control is shown in the record, not here
            taker(event, micros(event.time))

    def _id(self, sequence: int, prefix: str = "p") -> str:
        return f"{self.key}-{prefix}{sequence}"

    def _add(self, part: Part) -> None:
        self._end_prose()
        self.parts.append(part)
        self.changed[part.id] = part

    def _step(self, step: Step) -> None:
        self.steps.append(step)
        self.changed[step.id] = step

    def _end_prose(self) -> None:
        if self.parts and isinstance(last := self.parts[-1], Prose) and not last.ended:
            last.ended = True
            self.changed[last.id] = last

    def _created(self, event: events_pb2.RunEvent, time: int) -> None:
        created = event.created
        self.agent, self.model, self.input, self.asked_at = created.agent, created.model, created.input, time

    def _claimed(self, event: events_pb2.RunEvent, time: int) -> None:
        claimed = event.claimed
        self.worker, self.attempt, self.state = claimed.worker, claimed.attempt, "RUNNING"
        self._claim_part = len(self.parts)
        name = claimed.worker.partition("/")[2]
        waited = max(time - self.asked_at, 0)
        self._step(Step(self._id(event.sequence, "s"), "Waited for a worker", "done", time, waited, name))
        self.changed["state"] = None

    def _sandbox(self, event: events_pb2.RunEvent, time: int) -> None:
        opened = event.sandbox_opened
        self.layers = list(opened.isolation.layers)
        held = sum(layer.state == events_pb2.ISOLATION_STATE_ENFORCED for layer in self.layers)
        title = "Warm sandbox" if opened.warm else "Sandbox opened"
        detail = f"{held} of {len(self.layers)} layers hold" if self.layers else ""
        self._step(Step(self._id(event.sequence, "s"), title, "done", time, opened.open_micros, detail))

    def _model_started(self, event: events_pb2.RunEvent, time: int) -> None:
        call = event.model_call_started
        kind = "Embedding" if call.path.endswith("/embeddings") else "Thinking"
        step = Step(self._id(event.sequence, "s"), kind, "running", time, detail=call.model.removeprefix("models/"))
        self._models[call.index] = step
        self._step(step)

    def _model_finished(self, event: events_pb2.RunEvent, _time: int) -> None:
        call = event.model_call_finished
        step = self._models.pop(call.index, None)
        usage = call.usage
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.changed["state"] = None
        if step is None:
            return
        step.state, step.duration = ("failed" if call.error else "done"), call.duration_micros
        counted = f"{usage.input_tokens} in, {usage.output_tokens} out" if usage.calls or usage.input_tokens else ""
        step.detail = " · ".join(filter(None, (step.detail, call.error or counted)))
        self.changed[step.id] = step

    def _prose(self, kind: str, text: str, sequence: int) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Prose) and last.kind == kind and not last.ended:
            last.text += text
            self.changed[last.id] = last
        elif text:
            self._add(Prose(self._id(sequence), kind, text))

    def _call_started(self, event: events_pb2.RunEvent, time: int) -> None:
        started = event.tool_call_started
        call = Call(self._id(event.sequence), started.id, started.tool, started.arguments, started.verdict, time)
        step = Step(self._id(event.sequence, "s"), started.tool, "running", time, call=call)
        self._calls[started.id] = (call, step)
        self._add(call)
        self._step(step)
        self.said.append(f"Running {started.tool}: {call.summary}")

    def _call_output(self, event: events_pb2.RunEvent, _time: int) -> None:
        output = event.tool_output
        pair = self._calls.get(output.id)
        if pair is None:
            return
        call, _ = pair
        room = OUTPUT_CHARACTERS - len(call.output)
        call.output += output.text[:room]
        call.cut = call.cut or len(output.text) > room
        self.changed.setdefault(f"{call.id}-output", call)

    def _call_finished(self, event: events_pb2.RunEvent, _time: int) -> None:
        finished = event.tool_call_finished
        pair = self._calls.pop(finished.id, None)
        if pair is None:
            return
        call, step = pair
        call.result, call.duration = finished.result[:OUTPUT_CHARACTERS], finished.duration_micros
        call.cut = call.cut or len(finished.result) > OUTPUT_CHARACTERS
        call.state = step.state = "failed" if finished.is_error else "done"
        step.duration = call.duration
        self.changed[call.id], self.changed[step.id] = call, step
        self.said.append(f"{call.tool} {'failed' if finished.is_error else 'is done'}.")

    def _noticed(self, event: events_pb2.RunEvent, _time: int) -> None:
        if event.notice.code != "demonstration_model":  # the page says so itself, once
            self._add(Remark(self._id(event.sequence), event.notice.message, "warn"))

    def _cancelled(self, _event: events_pb2.RunEvent, _time: int) -> None:
        self.cancelling = True
        self.changed["state"] = None

    def _lost(self, event: events_pb2.RunEvent, _time: int) -> None:
        lost = event.attempt_lost
        self.dropped += [part.id for part in self.parts[self._claim_part :]]
        for part in self.parts[self._claim_part :]:
            self.changed.pop(part.id, None)
            if isinstance(part, Question):
                del self._questions[part.approval]
        del self.parts[self._claim_part :]
        self._stop_steps("lost")
        worker = lost.worker.partition("/")[2]
        then = "The run is offered again." if lost.retried else "It is not tried again."
        message = f"The worker {worker} was lost during attempt {lost.attempt}. {then}"
        self._add(Remark(self._id(event.sequence), message, "warn"))
        self.state = "PENDING"
        self.changed["state"] = None

    def _egress(self, event: events_pb2.RunEvent, time: int) -> None:
        decided = event.egress_decided
        key = egress.key(decided)
        step, count = self._reached.get(key, (None, 0))
        count += max(decided.count, 1)
        word = {"allow": "Reached", "audit": "Reached, noted"}.get(decided.verdict, "Refused")
        if step is None:
            title = f"{word} {egress.place(decided)}"
            state = "failed" if decided.verdict not in {"allow", "audit"} else "done"
            step = Step(self._id(event.sequence, "s"), title, state, time)
            self._step(step)
            if state == "failed":
                self.said.append(title)
        times = f"{count} times" if count > 1 else ""
        step.detail = " · ".join(filter(None, (egress.program(decided), decided.reason or decided.rule, times)))
        self._reached[key] = (step, count)
        self.changed[step.id] = step

    def _asked(self, event: events_pb2.RunEvent, _time: int) -> None:
        asked = event.approval_requested
        question = Question(self._id(event.sequence), asked.approval, asked.text)
        self._questions[asked.approval] = question
        self._add(question)
        self.said.append(f"It asks to {asked.text}")
        self.changed["state"] = None

    def _answered(self, event: events_pb2.RunEvent, _time: int) -> None:
        answered = event.approval_answered
        question = self._questions.get(answered.approval)
        if question is not None:
            question.answer, question.caller = answered.answer, answered.caller
            self.changed[question.id] = question
        self.changed["state"] = None

    def _policy_loaded(self, event: events_pb2.RunEvent, _time: int) -> None:
        loaded = event.policy_loaded
        many = "connection was" if loaded.closed == 1 else "connections were"
        closed = f" {loaded.closed} {many} closed for it." if loaded.closed else ""
        name = loaded.policy.partition("/")[2]
        message = f"What it may do changed: policy {name}, version {loaded.version}, and its grants.{closed}"
        self._add(Remark(self._id(event.sequence), message, "quiet"))

    def _stop_steps(self, state: str) -> None:
        for step in self.steps:
            if step.state == "running":
                step.state = state
                self.changed[step.id] = step
                if step.call:
                    step.call.state = state
                    self.changed[step.call.id] = step.call
        self._calls.clear()
        self._models.clear()

    def _finished(self, event: events_pb2.RunEvent, time: int) -> None:
        finished = event.finished
        self._end_prose()
        self._stop_steps("lost")
        texts = [part.text.strip() for part in self.parts if isinstance(part, Prose) and part.kind == "text"]
        if finished.output.strip() and finished.output.strip() not in texts:
            self._add(Prose(self._id(event.sequence), "text", finished.output, ended=True))
        for question in self._questions.values():
            if question.open:  # no answer is of use to this run any more
                question.answer = "LEFT"
                self.changed[question.id] = question
        self.state, self.ended_at = finished.outcome, time
        self.reason, self.message = finished.reason, finished.message
        self.input_tokens = finished.usage.input_tokens or self.input_tokens
        self.output_tokens = finished.usage.output_tokens or self.output_tokens
        self.changed["state"] = None
