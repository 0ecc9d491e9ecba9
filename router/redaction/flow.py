"""One text that comes in pieces: what of it is to be taken out, what can be passed on, what has to wait."""

from router.redaction.matcher import HEAD, Matcher

MARK = b"[redacted]"


class Flow:
    """Places are counted in bytes from the text's begin.

    What was passed on stays known for as long as a value may have begun in it: the rest of that value is taken out
    then. `short`: whether begins of less than a head's length wait, too.
    """

    def __init__(self, matcher: Matcher, *, short: bool) -> None:
        self._matcher = matcher
        self._short = short
        self._cuts: list[tuple[int, int]] = []
        self._masked = -1  # where what was taken out last ended
        self.context = b""
        self.length = 0
        self.decided = 0
        """Up to here everything was passed on, or taken out."""
        self.held = 0
        """From here on it has to wait; `length` where nothing has to."""

    def take(self, text: bytes) -> None:
        """Read the next piece."""
        data = self.context + text if self.context else text
        begin = self.length - len(self.context)
        self.length += len(text)
        for start, end in self._matcher.find(data):
            self._cut(begin + start, begin + end)
        size = self._matcher.tail(data, short=self._short)
        self.held = self._uncut(max(self.length - size, self.decided))
        self.context = data[-max(size, HEAD - 1) :]

    def follow(self, context: bytes, size: int) -> None:
        """Note a piece of `size` bytes that holds nothing and was passed on; the text ends with `context` now."""
        self.context = context
        self.length = self.decided = self.held = self.length + size

    def mask(self) -> None:
        """Take out what waits: it has waited too long."""
        self._cut(self.held, self.length)
        self.held = self.length

    def pass_on(self, text: bytes) -> bytes:
        """Give the text from `decided` on, which must not reach beyond `held`, without what is to be taken out."""
        start = self.decided
        self.decided = start + len(text)
        if not self._cuts:
            return text
        parts: list[bytes] = []
        at = start
        for begin, end in self._cuts:
            low, high = max(begin, start), min(end, self.decided)
            if low < high:
                parts.append(text[at - start : low - start])
                if begin == low or self._masked != low:  # else it goes on with what was marked before
                    parts.append(MARK)
                at = self._masked = high
        self._cuts = [cut for cut in self._cuts if cut[1] > self.decided]
        return b"".join([*parts, text[at - start :]])

    def _cut(self, start: int, end: int) -> None:
        if start >= end or end <= self.decided:
            return
        apart = []
        for begin, stop in self._cuts:
            if stop <= start or begin >= end:
                apart.append((begin, stop))
            else:
                start, end = min(start, begin), max(end, stop)
        self._cuts = sorted([*apart, (start, end)])

    def _uncut(self, start: int) -> int:
        """Give the first place from one on that is not to be taken out."""
        for begin, end in self._cuts:
            if begin <= start < end:
                start = end
        return start
