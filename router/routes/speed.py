"""How fast a target lately began to answer. Pure; the clock is given."""

from array import array

_KEPT = 16
_STALE_SECONDS = 60.0
_MICROS = 1_000_000


class Speed:
    """Times until the first byte, of the last sixteen calls. What was measured a minute ago says nothing any more."""

    __slots__ = ("_at", "_last", "_micros")

    def __init__(self) -> None:
        self._micros: array[int] | None = None
        self._at = 0
        self._last = 0.0

    def measured(self, seconds: float, now: float) -> None:
        """Take note of a call."""
        micros = self._micros
        if micros is None:
            micros = self._micros = array("q")
        if len(micros) < _KEPT:
            micros.append(int(seconds * _MICROS))
        else:
            micros[self._at] = int(seconds * _MICROS)
            self._at = (self._at + 1) % _KEPT
        self._last = now

    def micros(self, now: float) -> int:
        """Give the median; 0 where nothing is known."""
        if self._micros is None or now - self._last > _STALE_SECONDS:
            return 0
        return sorted(self._micros)[len(self._micros) // 2]
