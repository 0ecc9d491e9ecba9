"""One call to one provider: opened with deadlines, relayed as it comes, settled whatever happens."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol

from router.ask import Ask
from router.budgets.reservation import Reservation
from router.dialects.contract import Codec, Reading
from router.dialects.events import Garbage
from router.dialects.flow import Flow
from router.model import Health, Model, State
from router.options import Deadlines
from router.price import Price, cost
from router.providers.contract import Provider
from router.redact import redact
from router.refusal import Refusal, provider_error, provider_timeout
from router.translate import from_fault, from_status, seen
from router.usage import NOTHING, Charge, Usage, estimate
from router.watch import Watch
from router.wire import Answer, Fault, Target, Wire, WireError

_MAX_REFUSAL_BYTES = 1 << 20
_DRAIN_SECONDS = 0.2
_OK = 200


class CallerGone(Exception):
    """Raised when whoever asked has left, or reads nothing any more."""


class Sink(Protocol):
    """Where an answer goes. Each method returns when the caller's connection has room again. Raises CallerGone."""

    @property
    def started(self) -> bool:
        """Whether anything was sent, so that it is too late for another status."""

    async def whole(self, body: bytes, usage: bytes) -> None:
        """Send an answer that is no stream."""

    async def send(self, piece: bytes) -> None:
        """Begin a stream with its first events, or go on."""

    async def end(self, piece: bytes) -> None:
        """Send a stream's last events."""


@dataclass(frozen=True)
class Bounds:
    """What one call may take; `output_tokens` is for one that names no limit itself and whose budget needs one."""

    deadlines: Deadlines
    answer_bytes: int
    output_tokens: int


@dataclass(frozen=True)
class Attempt:
    """A call that was admitted and reserved: what is asked of which provider, how, where that is, and what it costs."""

    wire: Wire
    bounds: Bounds
    ask: Ask
    codec: Codec
    reservation: Reservation
    provider: Provider
    model: Model
    price: Price
    target: Target
    began: float
    number: int = 1
    _watch: Watch = field(default_factory=Watch)

    async def run(self, sink: Sink) -> None:
        """Bring the answer to the sink. Raises Refusal while nothing was sent. A caller that leaves is charged too."""
        try:
            await self._answer(sink)
        finally:
            self._watch.close()

    async def _answer(self, sink: Sink) -> None:
        answer = await self._open()
        try:
            if answer.status != _OK:
                await self._settle(NOTHING, "refused")
                body = await self._read(answer, _MAX_REFUSAL_BYTES)
                retry_after = answer.headers.get("retry-after", "")
                raise from_status(self.provider.spec.id, answer.status, body, self.target.key, retry_after)
            if self.ask.stream:
                await self._relay(answer, sink)
            else:
                await self._whole(answer, sink)
        finally:
            await answer.aclose()  # which never waits, so that nothing comes between

    async def _open(self) -> Answer:
        try:
            answer = await self._first()
        except WireError as error:
            refusal = from_fault(self.provider.spec.id, error, self.target.key)
            if error.fault is Fault.UNREACHABLE:
                self.provider.observe(Health(State.UNAVAILABLE, refusal.message))
                await self.reservation.release()
                raise refusal from error
            outcome = "timeout" if error.fault is Fault.TIMEOUT else "broken"
            raise await self._spent(refusal, outcome) from error
        except asyncio.CancelledError:
            await self._settle(estimate(self.ask.size, 0), "left")
            raise
        self.reservation.first_byte()
        self.provider.observe(seen(answer.status))
        return answer

    async def _first(self) -> Answer:
        request = self.codec.request(self.model.upstream)
        seconds = self.bounds.deadlines.first_byte_seconds
        try:
            with self._watch(seconds):
                return await self.wire.open(self.target, request)
        except TimeoutError as error:
            raise WireError(Fault.TIMEOUT, f"it did not begin to answer in {seconds:g} s") from error

    async def _whole(self, answer: Answer, sink: Sink) -> None:
        try:
            body, usage = self.codec.whole(await self._read(answer, self.bounds.answer_bytes))
        except Refusal as refusal:
            outcome = "timeout" if refusal.code == "provider_timeout" else "broken"
            raise await self._spent(refusal, outcome) from refusal
        except asyncio.CancelledError:
            await self._settle(estimate(self.ask.size, 0), "left")
            raise
        charge = await self._settle(usage or estimate(self.ask.size, len(body)), "answered")
        body = redact(body, self.target.key)
        await sink.whole(body, charge.text())

    async def _relay(self, answer: Answer, sink: Sink) -> None:
        reading = self.codec.reading()
        trouble: Refusal | None = None
        try:
            _check_event_stream(answer)
            async with asyncio.timeout(self._left()):
                await self._pass(answer, reading, sink)
            if not reading.complete and not reading.failed:
                trouble = provider_error(f"provider {self.provider.spec.id} ended its answer early")
        except (Refusal, TimeoutError, Garbage, WireError) as error:
            trouble = self._trouble(error)
        except (CallerGone, asyncio.CancelledError):
            await self._settle(reading.settle(self.ask.size), "left")
            raise
        await self._finish(reading, sink, trouble)
        if reading.done:
            await _drain(answer)

    async def _pass(self, answer: Answer, reading: Reading, sink: Sink) -> None:
        """Pass on what comes until the stream says that it is done, or ends."""
        flow = Flow(reading)
        size = 0
        seconds = self.bounds.deadlines.first_byte_seconds
        while not reading.done and (piece := await self._next(answer, seconds)):
            size += len(piece)
            if size > self.bounds.answer_bytes:
                raise provider_error(f"the answer is larger than {self.bounds.answer_bytes} bytes")
            if ready := flow.feed(piece):
                await sink.send(redact(ready, self.target.key))
            if flow.spoilt:
                raise flow.spoilt
            seconds = self.bounds.deadlines.idle_seconds

    async def _finish(self, reading: Reading, sink: Sink, trouble: Refusal | None) -> None:
        """Write the ledger row, and only then the stream's last bytes."""
        outcome = "answered" if reading.complete else "timeout" if _late(trouble) else "broken"
        try:
            charge = await self._settle(reading.settle(self.ask.size), outcome)
        except Refusal as refusal:
            if not sink.started:
                raise
            await sink.end(reading.broken(refusal))
            return
        if trouble and not sink.started:
            trouble.usage = charge.text()
            raise trouble
        last = reading.broken(trouble) if trouble else reading.end()
        await sink.end(redact(last, self.target.key) + b": signet-usage " + charge.text() + b"\n\n")

    async def _next(self, answer: Answer, seconds: float) -> bytes:
        try:
            with self._watch(seconds):
                return await answer.read()
        except TimeoutError as error:
            raise WireError(Fault.TIMEOUT, f"it sent nothing for {seconds:g} s") from error

    async def _read(self, answer: Answer, limit: int) -> bytes:
        body = bytearray()
        seconds = self.bounds.deadlines.first_byte_seconds
        try:
            async with asyncio.timeout(self._left()):
                while piece := await self._next(answer, seconds):
                    body += piece
                    if len(body) > limit:
                        raise provider_error(f"the answer is larger than {limit} bytes")
                    seconds = self.bounds.deadlines.idle_seconds
        except (TimeoutError, WireError) as error:
            raise self._trouble(error) from error
        return bytes(body)

    def _trouble(self, error: Exception) -> Refusal:
        name = self.provider.spec.id
        if isinstance(error, Refusal):
            return error
        if isinstance(error, WireError):
            return from_fault(name, error, self.target.key)
        if isinstance(error, Garbage):
            return provider_error(f"provider {name} sent {error}")
        return provider_timeout(f"provider {name} was not done in {self.bounds.deadlines.total_seconds:g} s")

    def _left(self) -> float:
        return max(self.began + self.bounds.deadlines.total_seconds - time.monotonic(), 0.0)

    async def _spent(self, refusal: Refusal, outcome: str) -> Refusal:
        """Settle a call that brought nothing, which its provider may charge all the same."""
        charge = await self._settle(estimate(self.ask.size, 0), outcome)
        refusal.usage = charge.text()
        return refusal

    async def _settle(self, usage: Usage, outcome: str) -> Charge:
        """Write the call's row; it is on disk when this returns. Raises Refusal (503) where it cannot be."""
        used = self.reservation.estimate.within(usage)
        charge = Charge(self.reservation.call, self.provider.spec.id, self.model.upstream, used, cost(self.price, used))
        row = self.reservation.ended_as(used, charge.cost_microusd, outcome, arrived=self.began, attempts=self.number)
        await self.reservation.settle(row)
        return charge


def _late(trouble: Refusal | None) -> bool:
    return trouble is not None and trouble.code == "provider_timeout"


def _check_event_stream(answer: Answer) -> None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise Garbage(f"{kind or 'an answer of no type'} where an event stream was asked for")


async def _drain(answer: Answer) -> None:
    """Read what follows `[DONE]`, so that the connection can be used again; who goes on sending is hung up on."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while await answer.read():
                pass
    except (TimeoutError, WireError):
        return
