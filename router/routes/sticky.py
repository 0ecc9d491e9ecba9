"""Which target a session was at, for its provider's cache: where speed or load decide, it stays while that is ready."""

from router.routes.route import LOAD, SPEED

_MOST = 16_384
_MOVING = (SPEED, LOAD)


class Sticky:
    """Remembers the last 16,384 sessions. Where weights decide nothing has to be remembered: hashing finds the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}

    def kept(self, route: str, session: str) -> str:
        """Say where a session of a route was; empty for nowhere."""
        return self._kept.get((route, session), "")

    def keep(self, route: str, preference: str, session: str, target: str) -> None:
        """Take note of where it is."""
        if not session or preference not in _MOVING:
            return
        key = (route, session)
        self._kept.pop(key, None)
        while len(self._kept) >= _MOST:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = target
