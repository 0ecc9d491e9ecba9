"""How many calls a target gets at once: additive increase, multiplicative decrease. Pure; the clock is given.

The rule is that of D. Chiu and R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance"
(1989), as TCP keeps it and as Netflix' concurrency-limits has it in `AIMDLimit`: half as many after a push back (429,
503, a deadline that passed), nine tenths after an answer that was far slower than usual, one more for every round of
calls that went well while most of the limit was in use. As in TCP, what was sent before the last decrease changes
nothing any more, so that many calls that are pushed back together count once.
"""

_PUSHED = 0.5
_SLOWED = 0.9
_SLOW_TIMES = 4.0
_SLOW_SECONDS = 1.0
_SHARE = 1 / 16  # of the latest answer in what is usual


class Limiter:
    """The limit of one target, from 1 to `most`; it begins at `most`, so that a first burst waits for nothing."""

    __slots__ = ("_cut", "_limit", "_most", "_usual")

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._cut = 0.0
        self._usual = [0.0, 0.0]  # seconds to the first byte: of whole answers, of streams

    @property
    def allowed(self) -> int:
        """Calls at once."""
        return int(self._limit)

    def answered(self, sent: float, now: float, active: int, *, stream: bool) -> None:
        """Take note of an answer's first byte, while so many calls were there."""
        took = now - sent
        usual = self._usual[stream]
        if usual and took > usual * _SLOW_TIMES and took - usual > _SLOW_SECONDS:
            self._decrease(_SLOWED, sent, now)
            took = usual * _SLOW_TIMES  # one very slow answer does not make slow ones usual
        elif self._limit < self._most and active * 2 >= self._limit:
            self._limit = min(self._limit + 1 / self._limit, self._most)
        self._usual[stream] = usual + (took - usual) * _SHARE if usual else took

    def pushed(self, sent: float, now: float) -> None:
        """Take note that a call was pushed back."""
        self._decrease(_PUSHED, sent, now)

    def _decrease(self, factor: float, sent: float, now: float) -> None:
        if sent >= self._cut:
            self._limit = max(self._limit * factor, 1.0)
            self._cut = now
