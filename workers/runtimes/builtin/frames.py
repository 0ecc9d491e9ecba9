"""JSON lines between the runtime and its worker, over one connected socket."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LINE_BYTES = 4 * 1024 * 1024
"""Most bytes of one line, both ways."""
PIECE_CHARS = 256
"""Text that waits for company is written at the latest when it is this long …"""
PIECE_SECONDS = 0.03
"""… or this long after the piece before it."""


class WorkerGone(Exception):
    """The worker closed its end: nobody waits for what this process does."""


class BadFrame(Exception):
    """A line was no JSON object or too long."""


def encode(frame: Mapping[str, Any]) -> bytes:
    """One line of UTF-8; half surrogates, which JSON from a model can hold, become question marks."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


@dataclass
class Channel:
    """Both directions of the socket `fd`. Reads and writes block; a closed worker raises WorkerGone."""

    fd: int
    pending: bytearray = field(default_factory=bytearray)

    def write(self, frame: Mapping[str, Any]) -> None:
        """Write one frame whole. A frame over LINE_BYTES raises BadFrame before a byte of it is written."""
        line = memoryview(encode(frame))
        if len(line) > LINE_BYTES:
            raise BadFrame(f"a {frame.get('type')} frame of {len(line)} bytes is over the bound of {LINE_BYTES}")
        try:
            while line:
                line = line[os.write(self.fd, line) :]
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WorkerGone from error

    def read(self) -> dict[str, Any]:
        """Wait for the next frame, however long that takes: the worker ends the wait by closing or by a signal."""
        searched = 0
        while (end := self.pending.find(b"\n", searched)) < 0:
            searched = len(self.pending)
            if searched > LINE_BYTES:
                raise BadFrame(f"a line is longer than {LINE_BYTES} bytes")
            try:
                chunk = os.read(self.fd, 65536)
            except ConnectionResetError as error:
                raise WorkerGone from error
            if not chunk:
                raise WorkerGone
            self.pending += chunk
        line = bytes(self.pending[:end])
        del self.pending[: end + 1]
        try:
            frame = json.loads(line)
        except ValueError as error:
            raise BadFrame(f"a line is not JSON: {line[:80]!r}") from error
        if not isinstance(frame, dict):
            raise BadFrame(f"a line is not a JSON object: {line[:80]!r}")
        return frame


@dataclass
class Output:
    """Text on its way to the worker: batched, in order, never lost. Other frames go out behind the text before them."""

    channel: Channel
    kind: str = "text"
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    written_at: float = -1.0

    def text(self, piece: str) -> None:
        """Add a piece of the answer."""
        self._add("text", piece)

    def reasoning(self, piece: str) -> None:
        """Add a piece of the model's reasoning."""
        self._add("reasoning", piece)

    def notice(self, code: str, message: str) -> None:
        """Tell a person something, now."""
        self.frame({"type": "notice", "code": code, "message": message})

    def frame(self, frame: Mapping[str, Any]) -> None:
        """Write a frame of another kind, after all text that came before it."""
        self.flush()
        self.channel.write(frame)

    def due(self) -> float | None:
        """Say when (time.monotonic) the waiting text has to go out; None where none waits."""
        return self.written_at + PIECE_SECONDS if self.pieces else None

    def flush(self) -> None:
        """Write what waits."""
        if self.pieces:
            text, self.pieces, self.size = "".join(self.pieces), [], 0
            self.channel.write({"type": self.kind, "text": text})
            self.written_at = time.monotonic()

    def flush_due(self) -> None:
        """Write what waits if its time has come."""
        due = self.due()
        if due is not None and time.monotonic() >= due:
            self.flush()

    def _add(self, kind: str, piece: str) -> None:
        if not piece:
            return
        if kind != self.kind:
            self.flush()
            self.kind = kind
        self.pieces.append(piece)
        self.size += len(piece)
        if self.size >= PIECE_CHARS:
            self.flush()
        else:
            self.flush_due()
