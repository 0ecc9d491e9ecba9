"""What a runtime and its worker say to each other: the run goes in, events come out, the last frame ends it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from signet.v1 import events_pb2, models_pb2, runs_pb2
from signet.work.v1 import work_pb2
from workers import gate
from workers.dispatch import Dispatcher
from workers.frames import BadFrame
from workers.text import clean, cut, pieces
from workers.upload import MERGED_CHARACTERS, Ending, Uploader

BASE_URL = "http://127.0.0.2:80/v1"
TEXT_CHARACTERS = 16 * 1024 * 1024
"""Most text and reasoning that a runtime may write in one run."""
NOTICES = 1000
NOTICE_BYTES = 4096
OUTPUT_BYTES = 1024 * 1024
MESSAGES_BYTES = 1536 * 1024
"""Most bytes of what a run adds to its session; beyond it, only the question and the answer are kept."""
REASONS = frozenset({
    "ROUNDS_EXHAUSTED", "REPEATED_TOOL_FAILURE", "MODEL_UNAVAILABLE", "MODEL_ERROR", "MODEL_NOT_ALLOWED",
    "CONTEXT_TOO_LONG", "INTERNAL",
})  # fmt: skip
"""What a runtime may fail with."""
CUT = "\n[The answer was cut here.]"


class Flooded(Exception):
    """The runtime wrote more than a run may."""


def opening(assignment: work_pb2.Assignment) -> dict[str, Any]:
    """Make the runtime's first frame."""
    profile, limits = assignment.model.profile, assignment.limits
    by_embedding = profile.tool_choice == models_pb2.TOOL_CHOICE_EMBEDDING
    return {
        "type": "run",
        "input": assignment.run.input,
        "history": json.loads(assignment.history or "[]"),
        "soul": assignment.soul,
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": json.loads(tool.parameters),
                "examples": list(tool.examples),
            }
            for tool in assignment.tools
        ],
        "model": assignment.model.name.removeprefix("models/"),
        "embedding_model": assignment.embedding_model.removeprefix("models/"),
        "profile": {
            "context_tokens": profile.context_tokens,
            "tool_choice": "embedding" if by_embedding else "native",
            "demonstration": profile.demonstration,
        },
        "limits": {"max_rounds": limits.max_rounds, "max_output_tokens": limits.max_output_tokens},
        "agent": assignment.run.agent.removeprefix("agents/"),
        "base_url": BASE_URL,
    }


def conversation(question: str, answer: str) -> str:
    """Give the least that a run adds to its session: question and answer, each cut where it is very long."""
    most = MESSAGES_BYTES // 8  # an escaped character can be six
    messages = [{"role": "user", "content": cut(question, most)}, {"role": "assistant", "content": cut(answer, most)}]
    return json.dumps(messages, ensure_ascii=False)


@dataclass
class Conversation:
    """Turns the runtime's frames into events and calls. `round_text` is the answer as far as it came."""

    question: str
    uploader: Uploader
    dispatcher: Dispatcher
    round_text: list[str] = field(default_factory=list)
    _written: int = 0
    _notices: int = 0

    def take(self, frame: Mapping[str, Any]) -> Ending | None:
        """Take a frame; the run's ending with the last one. Raises BadFrame, Flooded, TooManyCalls."""
        kind = frame.get("type")
        if kind in ("text", "reasoning"):
            self._delta(kind, _string(frame, "text"))
        elif kind == "tool_call":
            self._call(frame)
        elif kind == "notice":
            self._notice(frame)
        elif kind == "finish":
            return self._finish(frame)
        elif kind == "fail":
            return self._fail(frame)
        else:
            raise BadFrame("a frame is of no known type")
        return None

    def partial(self) -> str:
        """Give the answer as far as it came."""
        return cut("".join(self.round_text), OUTPUT_BYTES - len(CUT), CUT)

    def _delta(self, kind: str, text: str) -> None:
        self._written += len(text)
        if self._written > TEXT_CHARACTERS:
            raise Flooded(f"the runtime wrote more than {TEXT_CHARACTERS} characters of text")
        for piece in pieces(text, MERGED_CHARACTERS):
            if kind == "text":
                self.uploader.add(text=events_pb2.TextDelta(text=piece))
                self.round_text.append(piece)
            else:
                self.uploader.add(reasoning=events_pb2.TextDelta(text=piece))

    def _call(self, frame: Mapping[str, Any]) -> None:
        call = gate.parse(frame)
        if call is None:
            raise BadFrame("a tool_call has no id, tool or arguments")
        self.round_text.clear()
        self.dispatcher.call(call)

    def _notice(self, frame: Mapping[str, Any]) -> None:
        self._notices += 1
        if self._notices > NOTICES:
            raise Flooded(f"the runtime gave more than {NOTICES} notices")
        code, message = cut(_string(frame, "code"), 64, ""), cut(_string(frame, "message"), NOTICE_BYTES)
        self.uploader.add(notice=events_pb2.Notice(code=code, message=message))

    def _finish(self, frame: Mapping[str, Any]) -> Ending:
        output = cut(_string(frame, "output"), OUTPUT_BYTES - len(CUT), CUT)
        messages = frame.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise BadFrame("the messages of `finish` are no list of objects")
        text = clean(json.dumps(messages, ensure_ascii=False))
        if len(text.encode()) > MESSAGES_BYTES:
            text = conversation(self.question, output)
            note = "What this run adds to its session was too long: only the question and the answer are kept."
            self.uploader.add(notice=events_pb2.Notice(code="history_cut", message=note))
        return Ending(runs_pb2.RUN_STATE_SUCCEEDED, output=output, messages=text)

    def _fail(self, frame: Mapping[str, Any]) -> Ending:
        reason, message = _string(frame, "reason"), cut(_string(frame, "message"), NOTICE_BYTES)
        return Ending(
            runs_pb2.RUN_STATE_FAILED,
            output=self.partial(),
            reason=reason if reason in REASONS else "INTERNAL",
            message=message,
        )


def _string(frame: Mapping[str, Any], name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise BadFrame(f"`{name}` of a frame is no text")
    return value
