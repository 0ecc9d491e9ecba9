"""A streamed answer on its way: cut into whole events, and each of them taken."""

from router.dialects.contract import Reading
from router.dialects.events import MAX_EVENT_BYTES, Cutter, Garbage


class Flow:
    """Feeds a reading. An event that is cut off by the stream's end is not passed on."""

    __slots__ = ("_cutter", "reading", "spoilt")

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.spoilt: Garbage | None = None
        self._cutter = Cutter()

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece and give what the caller may have.

        Raises Garbage. Where whole events came before it, they are given first, and it is in `spoilt`.
        """
        reading = self.reading
        events = self._cutter.feed(piece)
        if len(events) == 1 and not self._cutter.endless and not reading.done:
            return reading.take(events[0])
        ready: list[bytes] = []
        try:
            for event in events:
                if reading.done:
                    break
                if taken := reading.take(event):
                    ready.append(taken)
        except Garbage as error:
            self.spoilt = error
        if self._cutter.endless:
            self.spoilt = Garbage(f"an event of more than {MAX_EVENT_BYTES} bytes")
        if self.spoilt and not ready:
            raise self.spoilt
        return ready[0] if len(ready) == 1 else b"".join(ready)
