"""Room for a number of streams at once; one more is refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from signet.kit.errors import ResourceExhausted


class Room:
    """A number of places, on one event loop."""

    def __init__(self, places: int, what: str) -> None:
        self._places = places
        self._what = what
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place until the block is left. Raises ResourceExhausted (LIMIT_REACHED)."""
        if self._taken >= self._places:
            message = f"{self._places} {self._what} are served already"
            raise ResourceExhausted("LIMIT_REACHED", message, retry_after_seconds=1)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
