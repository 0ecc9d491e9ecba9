"""Server-sent events, from bytes that arrive in any pieces."""

from dataclasses import dataclass, field

from workers.runtimes.builtin.failure import RunFailed

EVENT_BYTES = 4 * 1024 * 1024
"""Most bytes of one line, and of one event."""


@dataclass
class Events:
    """Feed it chunks, get the data of each whole event. Lines end with LF, CRLF or CR; comments are passed over."""

    pieces: list[bytes] = field(default_factory=list)
    waiting: int = 0
    data: list[str] = field(default_factory=list)
    size: int = 0

    def feed(self, chunk: bytes) -> list[str]:
        """Take the next bytes, return the events that they complete. Raises RunFailed for an endless line or event."""
        if b"\n" not in chunk and b"\r" not in chunk and not self._held():
            self._hold(chunk)
            return []
        text = b"".join(self.pieces) + chunk
        self.pieces, self.waiting = [], 0
        rest = b""
        if text.endswith(b"\r"):  # the \n that belongs to it may be on its way
            text, rest = text[:-1], b"\r"
        *lines, last = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._hold(last + rest)
        return [event for line in lines if (event := self._line(line)) is not None]

    def end(self) -> list[str]:
        """Return the event that the end of the stream cut short of its empty line, if there is one."""
        events = self.feed(b"\n\n")
        return [event for event in events if event]

    def _held(self) -> bool:
        return bool(self.pieces) and self.pieces[-1].endswith(b"\r")

    def _hold(self, piece: bytes) -> None:
        if piece:
            self.pieces.append(piece)
            self.waiting += len(piece)
            self._bound(self.waiting)

    def _line(self, line: bytes) -> str | None:
        if not line:
            if not self.data:
                return None
            event = "\n".join(self.data)
            self.data, self.size = [], 0
            return event
        name, _, value = line.partition(b":")
        if name == b"data":
            self.size += len(line) + 1
            self._bound(self.size)
            self.data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        return None

    def _bound(self, size: int) -> None:
        if size > EVENT_BYTES:
            raise RunFailed("MODEL_ERROR", f"The model sent one event of more than {EVENT_BYTES >> 20} MiB.")
