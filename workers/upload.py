"""The one writer of a run: it gives events their sequence and stores them in order, each once."""

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from signet.kit.errors import (
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    SignetError,
    Unauthenticated,
    Unavailable,
)
from signet.kit.times import now_micros, stamp
from signet.v1 import events_pb2, runs_pb2
from signet.work.v1 import work_pb2
from workers.backoff import Backoff
from workers.control import CALL_SECONDS, Answer, Attempt, Control, LeaseLost, stale
from workers.lease import Held

BATCH_EVENTS = 512
BATCH_BYTES = 2 * 1024 * 1024
GATHER_SECONDS = 0.02
"""How long an event waits for company before it is sent, unless somebody waits for it."""
BUFFER_BYTES = 8 * 1024 * 1024
"""What may wait to be stored, bodies included; then whoever makes events waits."""
BUFFER_EVENTS = 4096
MERGED_CHARACTERS = 16 * 1024
"""Deltas that wait side by side become one event of at most this length."""
FINISH_SECONDS = 300.0
"""How long the end of a run is tried to be stored while its lease holds."""

_MERGED = ("text", "reasoning", "tool_output")


class Rejected(Exception):
    """Control will not take what was sent, however often it is sent; `reason` is control's."""

    def __init__(self, error: SignetError) -> None:
        super().__init__(error.message)
        self.reason = error.reason


@dataclass(frozen=True)
class Body:
    """Bytes that an event names by their sha256."""

    data: bytes
    digest: str

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """Take the digest."""
        return cls(data, hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Ending:
    """How a run ends."""

    outcome: "runs_pb2.RunState"
    output: str = ""
    messages: str = "[]"
    reason: str = ""
    message: str = ""


def lasting(error: SignetError) -> bool:
    """Whether sending the same again cannot help."""
    if isinstance(error, ResourceExhausted):
        return error.reason != "DISK_FULL"
    return not isinstance(error, Unavailable | DeadlineExceeded | Internal | Unauthenticated)


class Uploader:
    """Events of one run on their way to control.

    `add` never waits; whoever adds awaits `room` before it adds more. `commit` returns when all that was added is
    durable. `run` writes until `close`, or raises LeaseLost or Rejected; `finish` stores what is left and ends the run.
    """

    def __init__(self, control: Control, held: Held, next_sequence: int) -> None:
        self._control = control
        self._held = held
        self._next = next_sequence
        self._stored = next_sequence - 1
        self._waiting: deque[events_pb2.RunEvent] = deque()
        self._bodies: dict[int, list[asyncio.Task[None]]] = {}
        self._bytes = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._hurry = asyncio.Event()
        self._progress = asyncio.Condition()
        self._failure: Exception | None = None

    def add(self, bodies: Sequence[Body] = (), **kind: Any) -> None:
        """Add an event, for example `text=TextDelta(…)`. It is stored after its `bodies` are."""
        if not bodies and self._merge(kind):
            return
        event = events_pb2.RunEvent(sequence=self._next, time=stamp(now_micros()), **kind)
        self._next += 1
        self._bytes += event.ByteSize()
        self._waiting.append(event)
        if bodies:
            self._bodies[event.sequence] = [asyncio.create_task(self._put(body)) for body in bodies]
        self._idle.set()

    @property
    def roomy(self) -> bool:
        """Whether more may be added now."""
        return self._bytes <= BUFFER_BYTES and len(self._waiting) <= BUFFER_EVENTS

    async def room(self) -> None:
        """Wait until there is room for more. Raises what ended the writer."""
        while self._failure or not self.roomy:
            await self._moved()

    async def commit(self) -> None:
        """Wait until all that was added is durable. Raises what ended the writer."""
        last = self._next - 1
        while self._stored < last:
            self._hurry.set()
            await self._moved()

    async def run(self) -> None:
        """Write until `close`. Raises LeaseLost, Rejected."""
        try:
            while not self._closing:
                await self._idle.wait()
                self._idle.clear()
                while self._waiting and not self._closing:
                    await self._gather()
                    if not self._closing:
                        await self._append(self._batch())
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._failure = self._failure or (None if self._closing else LeaseLost("the writer was stopped"))
            async with self._progress:
                self._progress.notify_all()

    def close(self) -> None:
        """Let `run` return after what it is doing now."""
        self._closing = True
        self._idle.set()
        self._hurry.set()

    async def finish(self, ending: Ending) -> None:
        """Store what is left and end the run; `run` must have returned. Raises LeaseLost, Rejected, TimeoutError."""
        request = work_pb2.FinishRunRequest(
            lease=self._held.proto(),
            outcome=ending.outcome,
            output=ending.output,
            messages=ending.messages,
        )
        if ending.reason:
            request.error.CopyFrom(runs_pb2.RunError(reason=ending.reason, message=ending.message))
        async with asyncio.timeout(FINISH_SECONDS):
            while len(self._batch()) < len(self._waiting) or self._bytes + request.ByteSize() > BATCH_BYTES:
                if not self._waiting:
                    break
                await self._append(self._batch())
            request.events.extend(self._waiting)
            await self._bodies_of(self._waiting)
            await self._repeat(lambda seconds: self._control.finish(request, seconds))

    def forget(self) -> None:
        """Drop what waits: control takes no more of it."""
        self._waiting.clear()
        self._bytes = 0
        self._next = self._stored + 1

    async def aclose(self) -> None:
        """Give up whatever is still on its way."""
        tasks = [task for group in self._bodies.values() for task in group]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _merge(self, kind: dict[str, Any]) -> bool:
        """Join a delta to the one that waits before it; False where they do not belong together."""
        (name, value), *_ = kind.items()
        last = self._waiting[-1] if self._waiting else None
        if name not in _MERGED or last is None or last.WhichOneof("kind") != name:
            return False
        before = getattr(last, name)
        if name == "tool_output" and before.id != value.id:
            return False
        if len(before.text) + len(value.text) > MERGED_CHARACTERS:
            return False
        size = last.ByteSize()
        before.text += value.text
        self._bytes += last.ByteSize() - size
        return True

    def _batch(self) -> list[events_pb2.RunEvent]:
        """Give the first events that fit one request; they stay until they are stored."""
        batch: list[events_pb2.RunEvent] = []
        size = 0
        for event in self._waiting:
            size += event.ByteSize()
            if batch and (len(batch) >= BATCH_EVENTS or size > BATCH_BYTES):
                break
            batch.append(event)
        return batch

    async def _append(self, batch: list[events_pb2.RunEvent]) -> None:
        request = work_pb2.AppendEventsRequest(lease=self._held.proto(), events=batch)
        for _ in batch:  # taken out now, so that nothing is merged into what is sent already
            self._waiting.popleft()
        await self._bodies_of(batch)
        await self._repeat(lambda seconds: self._control.append(request, seconds))
        self._stored = batch[-1].sequence
        self._bytes -= sum(event.ByteSize() for event in batch)
        async with self._progress:
            self._progress.notify_all()

    async def _put(self, body: Body) -> None:
        self._bytes += len(body.data)
        try:
            lease = self._held.proto()
            await self._repeat(lambda seconds: self._control.put(lease, body.digest, body.data, seconds))
        finally:
            self._bytes -= len(body.data)

    async def _bodies_of(self, batch: Iterable[events_pb2.RunEvent]) -> None:
        for event in batch:
            await asyncio.gather(*self._bodies.get(event.sequence, ()))
            self._bodies.pop(event.sequence, None)

    async def _repeat(self, attempt: Attempt[Answer]) -> Answer:
        """Call until it works: control passes over what it has already, so a repeat is safe while the lease holds."""
        backoff = Backoff()
        while left := self._held.remaining():
            try:
                return await attempt(min(CALL_SECONDS, left))
            except SignetError as error:
                if stale(error):
                    self._held.lose("control says so")
                elif lasting(error):
                    raise Rejected(error) from error
            await self._pause(backoff.next())
        raise LeaseLost(self._held.why or "its time was over")

    async def _pause(self, seconds: float) -> None:
        """Wait, at most for the lease."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._held.lost.wait()

    async def _gather(self) -> None:
        """Let more events come, where nobody waits and a request is not full yet."""
        if len(self._waiting) < BATCH_EVENTS and self._bytes < BATCH_BYTES:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._hurry.wait()
        self._hurry.clear()

    async def _moved(self) -> None:
        """Wait for the writer's next progress. Raises what ended it."""
        if self._failure:
            raise self._failure
        async with self._progress:
            await self._progress.wait()
