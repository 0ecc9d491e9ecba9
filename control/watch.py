"""Watching a run: what the store has, then what it gets.

Nothing is queued for a watcher. It is woken, and reads the next batch from the store once it took the one before, so
one that reads nothing costs one batch.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

from control.bells import Bells
from control.store import events, runs
from control.store.database import Connection
from control.store.readers import Readers
from signet.kit.errors import NotFound, OutOfRange, ResourceExhausted, Unavailable
from signet.v1 import events_pb2, runs_pb2

BATCH = 256
"""Events in one batch, at most."""

BATCH_BYTES = 1024 * 1024
"""Bytes in one batch, unless a single event is larger."""

_EVENTS_TAG = b"\x0a"  # field 1 of WatchRunEventsResponse, length-delimited


@dataclass
class _Count:
    now: int = 0


@dataclass(frozen=True)
class Watching:
    """Serves watchers, `limit` of them at once."""

    readers: Readers
    bells: Bells
    limit: int
    _watchers: _Count = field(default_factory=_Count)

    async def watch(self, run: str, after: int, *, replay_only: bool) -> AsyncIterator[runs_pb2.WatchRunEventsResponse]:
        """Give batches of events after a sequence, each once and in order, until `finished` or the replay's end.

        Raises NotFound, OutOfRange beyond the end of a final run, and ResourceExhausted with too many watchers.
        """
        if self._watchers.now >= self.limit:
            raise ResourceExhausted(
                "LIMIT_REACHED",
                f"{self.limit} watchers are served already (control's option max_watchers)",
                retry_after_seconds=1,
            )
        self._watchers.now += 1
        try:
            async for batch in self._follow(run, after, replay_only=replay_only):
                yield batch
        finally:
            self._watchers.now -= 1

    async def _follow(
        self, run: str, after: int, *, replay_only: bool
    ) -> AsyncIterator[runs_pb2.WatchRunEventsResponse]:
        with self.bells.listen(f"runs/{run}") as news:
            await self.readers.read(partial(_check, run=run, after=after))
            while not self.bells.closing:
                news.clear()
                payloads, final = await self.readers.read(partial(_next, run=run, after=after))
                if payloads:
                    last = events_pb2.RunEvent.FromString(payloads[-1])
                    yield _batch(payloads)
                    after = last.sequence
                    if last.HasField("finished"):
                        return
                elif final or replay_only:
                    return
                else:
                    await news.wait()
        raise Unavailable("SHUTTING_DOWN", "control is ending: watch again after the last sequence you have")


def _check(connection: Connection, run: str, after: int) -> None:
    row = runs.row(connection, run)
    if row is None:
        raise NotFound("RUN_NOT_FOUND", f"there is no runs/{run}", hint="signet runs list")
    if row.final and after > row.last_sequence:
        raise OutOfRange(
            "OUT_OF_RANGE", f"runs/{run} is final and ends at {row.last_sequence}; after_sequence is {after}"
        )


def _next(connection: Connection, run: str, after: int) -> tuple[list[bytes], bool]:
    payloads = events.payloads(connection, run, after, limit=BATCH, limit_bytes=BATCH_BYTES)
    if payloads:
        return payloads, False
    row = runs.row(connection, run)
    return payloads, row is None or row.final


def _batch(payloads: list[bytes]) -> runs_pb2.WatchRunEventsResponse:
    """Put stored events on the wire as they are; taking each apart would cost as much as storing it."""
    return runs_pb2.WatchRunEventsResponse.FromString(
        b"".join(part for payload in payloads for part in (_EVENTS_TAG, _varint(len(payload)), payload))
    )


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
