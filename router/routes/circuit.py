"""A circuit breaker: whether a target may be asked now, from how its last calls went. Pure; the clock is given.

Closed until five calls in a row failed, or ten of the last twenty; then open for five seconds; then half-open, for one
call that tries (the probe): where that fails, too, open for twice as long as before, at most a minute.
Beside it a target that said how long to leave it alone (`retry-after`) is left alone.
"""

CLOSED = "closed"
OPEN = "open"
HALF_OPEN = "half-open"

WINDOW = 20
_ALL = (1 << WINDOW) - 1
_ROW = 5
_IN_A_ROW = (1 << _ROW) - 1
_SHARE = WINDOW // 2
_FIRST_SECONDS = 5.0
_LAST_SECONDS = 60.0


class Circuit:
    """The breaker of one target. Times are seconds of a clock that never goes back."""

    __slots__ = ("_bits", "_calls", "_held", "_probing", "_seconds", "_until")

    def __init__(self) -> None:
        self._bits = 0  # of the last calls, the latest lowest: 1 failed
        self._calls = 0
        self._until: float | None = None  # where it is not closed, when it may be probed
        self._held = 0.0
        self._seconds = _FIRST_SECONDS
        self._probing = False

    def state(self, now: float) -> str:
        """Say how it stands."""
        if self._until is None:
            return CLOSED
        return OPEN if now < self._until else HALF_OPEN

    def admits(self, now: float) -> bool:
        """Whether a call may go there."""
        if now < self._held:
            return False
        return self._until is None or (now >= self._until and not self._probing)

    def begin(self) -> bool:
        """Take note that a call that it admits goes there; gives whether it is the probe."""
        if self._until is None:
            return False
        self._probing = True
        return True

    def began(self, *, probe: bool) -> None:
        """Take note that a call is being answered, which is all that a probe has to show."""
        if probe and self._until is not None:
            self._until = None
            self._bits = self._calls = 0
            self._seconds = _FIRST_SECONDS
            self._probing = False

    def well(self) -> None:
        """Take note that a call ended well."""
        self._bits = (self._bits << 1) & _ALL
        self._calls += 1

    def failed(self, now: float, *, probe: bool) -> None:
        """Take note that a call failed. Those that were sent before it opened change nothing any more."""
        self._bits = (self._bits << 1 | 1) & _ALL
        self._calls += 1
        if self._until is None:
            if self._bits & _IN_A_ROW == _IN_A_ROW or (self._calls >= WINDOW and self._bits.bit_count() >= _SHARE):
                self._until = now + self._seconds
        elif probe:
            self._seconds = min(self._seconds * 2, _LAST_SECONDS)
            self._until = now + self._seconds
            self._probing = False

    def unknown(self, *, probe: bool) -> None:
        """Take note that a call ended without telling anything of its target: another one may probe."""
        if probe:
            self._probing = False

    def hold(self, until: float) -> None:
        """Leave the target alone until then."""
        self._held = max(self._held, until)

    def wait(self, now: float) -> float:
        """Say in how many seconds a call may be sent; 0 now, or while a probe is under way."""
        return max(self._held - now, (self._until or 0.0) - now, 0.0)

    def held(self, now: float) -> bool:
        """Whether it is left alone because it said so."""
        return now < self._held

    @property
    def failures_per_mille(self) -> int:
        """Of the last calls, at most twenty, how many failed."""
        calls = min(self._calls, WINDOW)
        return self._bits.bit_count() * 1000 // calls if calls else 0

    @property
    def untouched(self) -> bool:
        """Whether nothing would be lost with it."""
        return self._until is None and self._bits == 0 and self._held == 0.0
