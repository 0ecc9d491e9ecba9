"""All lanes: made when they are first asked for, forgotten with their provider."""

from router.providers.contract import Provider
from router.routes.lane import Lane

_MOST = 8_192


class Lanes:
    """Lanes by provider and model. `most` calls run in one at once. A lane costs nothing while nobody asks for it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: dict[tuple[str, str], Lane] = {}

    def get(self, provider: Provider, upstream: str) -> Lane:
        """Give the lane of a model, which need not be one that its provider offers."""
        key = (provider.spec.id, upstream)
        lane = self._lanes.get(key)
        if lane is None or lane.provider is not provider:
            if len(self._lanes) >= _MOST:
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
            lane = self._lanes[key] = Lane(provider, upstream, self._most)
        return lane

    def find(self, provider: str, upstream: str) -> Lane | None:
        """Give a lane that somebody asked for already."""
        return self._lanes.get((provider, upstream))

    def forget(self, provider: str) -> None:
        """Drop the lanes of a provider that is gone or was set up anew; calls that run there keep theirs."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if key[0] != provider}
