"""All lanes: made when they are first asked for, forgotten with their provider, or when there are too many."""

from router.providers.contract import Provider
from router.routes.lane import Lane

_MOST = 8_192


class Lanes:
    """Lanes by provider and model. `most` calls run in one at once. A lane costs nothing while nobody asks for it.

    There are 8,192 at most, and no more than 32 above it until the next `thin`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: dict[tuple[str, str], Lane] = {}

    def get(self, provider: Provider, upstream: str) -> Lane:
        """Give the lane of a model, which need not be one that its provider offers."""
        key = (provider.spec.id, upstream)
        lane = self._lanes.get(key)
        if lane is None or lane.provider is not provider:
            lane = self._lanes[key] = Lane(provider, upstream, self._most)
        return lane

    def thin(self) -> bool:
        """Drop lanes if there are too many, and say so: who holds one that is gone must get it anew.

        Gone are those that nobody would miss; where that leaves more than half of them, the older ones, too, but for
        those in which calls run: whoever asks for ever new names must not fill the memory with their failures.
        """
        if len(self._lanes) < _MOST:
            return False
        kept = [(key, lane) for key, lane in self._lanes.items() if not lane.idle]
        old = len(kept) - _MOST // 2
        self._lanes = {key: lane for place, (key, lane) in enumerate(kept) if place >= old or lane.active}
        return True

    def forget(self, provider: str) -> None:
        """Drop the lanes of a provider that is gone or was set up anew; calls that run there keep theirs."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if key[0] != provider}
