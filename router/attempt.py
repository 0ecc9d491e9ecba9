"""One call to one provider: opened with deadlines, relayed as it comes, settled whatever happens."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from router.ask import Ask
from router.budgets.reservation import Reservation
from router.dialects.contract import Codec, Reading
from router.dialects.events import Garbage
from router.dialects.flow import Flow
from router.intake import Intake
from router.observe.observer import Sight
from router.options import Deadlines
from router.price import Price, cost, source
from router.providers.contract import shapes
from router.redaction.redactor import Redactor
from router.refusal import Refusal, provider_error, provider_timeout
from router.routes.lane import Lane
from router.sink import CallerGone, Sink
from router.translate import from_fault, from_status, told
from router.usage import NOTHING, Charge, Usage, estimate
from router.watch import Watch
from router.wire import Answer, Fault, Target, Wire, WireError

_MAX_REFUSAL_BYTES = 1 << 20
_DRAIN_SECONDS = 0.2
_OK = 200


@dataclass(frozen=True)
class Bounds:
    """What one call may take; `output_tokens` is for one that names no limit itself and whose budget needs one."""

    deadlines: Deadlines
    answer_bytes: int
    output_tokens: int


class Ending(Enum):
    """What became of an attempt."""

    UNTRIED = "untried"  # nothing was sent
    UNREACHABLE = "unreachable"  # nothing was taken
    REFUSED = "refused"  # its provider answered with an error
    TIMEOUT = "timeout"  # it was sent, and a deadline passed
    BROKEN = "broken"  # it was sent, and what came is no answer
    LEFT = "left"  # its caller left, or it was cut off
    ANSWERED = "answered"


def _nobody_waits() -> None:
    """Take note of a beginning that nobody waits for."""


class Attempt:
    """A call that was admitted and reserved: what is asked of which model, how, where that is, and what it costs.

    `arrived` is when its caller came, `number` counts its attempts. `probe`: it shows whether its lane can be used
    again. `begins` is called when it is sure that it has an answer, before anything of that is sent on; what it raises
    ends the attempt. Afterwards `ending` tells what became of it, `status` what its provider said where that refused,
    and `anew` whether it may take the same call when that is shaped anew.
    """

    __slots__ = ("_probe", "_sent", "_watch", "anew", "arrived", "ask", "begins", "bounds", "codec", "cost_microusd",
                 "ending", "lane", "number", "price", "redactor", "reservation", "sight", "status", "target",
                 "wire")  # fmt: skip

    def __init__(
        self,
        wire: Wire,
        bounds: Bounds,
        ask: Ask,
        codec: Codec,
        lane: Lane,
        *,
        redactor: Redactor,
        reservation: Reservation,
        price: Price,
        target: Target,
        sight: Sight,
        arrived: float,
        number: int,
        probe: bool,
        begins: Callable[[], None] = _nobody_waits,
    ) -> None:
        self.wire = wire
        self.bounds = bounds
        self.redactor = redactor
        self.ask = ask
        self.codec = codec
        self.lane = lane
        self.reservation = reservation
        self.price = price
        self.target = target
        self.sight = sight
        self.arrived = arrived
        self.number = number
        self.begins = begins
        self.ending = Ending.UNTRIED
        self.status = 0
        self.cost_microusd: int | None = 0
        self.anew = False
        self._probe = probe
        self._sent = 0.0
        self._watch = Watch()

    @property
    def free(self) -> bool:
        """Whether it is known to have cost nothing."""
        return self.cost_microusd == 0

    async def run(self, sink: Sink) -> None:
        """Bring the answer to the sink. Raises Refusal while nothing was sent. A caller that leaves is charged too."""
        try:
            await self._answer(sink)
        finally:
            self._watch.close()
            self.sight.unsent()
            if self.ending is Ending.LEFT or self.ending is Ending.UNTRIED:
                self.lane.circuit.unknown(probe=self._probe)

    async def _answer(self, sink: Sink) -> None:
        answer = await self._open()
        try:
            if answer.status != _OK:
                raise await self._refused(answer)
            if self.ask.stream:
                await self._relay(answer, sink)
            else:
                await self._whole(answer, sink)
        finally:
            await answer.aclose()  # which never waits, so that nothing comes between

    async def _open(self) -> Answer:
        try:
            answer = await self._first()
        except Refusal:
            await self.reservation.release()  # it cannot even be said in its provider's form
            raise
        except WireError as error:
            refusal = self._fault(error)
            if error.fault is Fault.UNREACHABLE:
                self.ending = Ending.UNREACHABLE
                self.lane.unreachable(refusal, probe=self._probe)
                await self.reservation.release()
                raise refusal from error
            raise await self._spent(refusal) from error
        except asyncio.CancelledError:
            await self._left(estimate(self.ask.size, 0))
            raise
        self.reservation.first_byte()
        if answer.status == _OK:
            self.lane.answered(self._sent, stream=self.ask.stream, probe=self._probe)
            self._probe = False
        return answer

    async def _first(self) -> Answer:
        request = self.codec.request(self.lane.upstream)
        seconds = self.bounds.deadlines.first_byte_seconds
        self._sent = time.monotonic()
        try:
            with self._watch(seconds):
                return await self.wire.open(self.target, request)
        except TimeoutError as error:
            raise WireError(Fault.TIMEOUT, f"it did not begin to answer in {seconds:g} s") from error

    async def _refused(self, answer: Answer) -> Refusal:
        """Settle a call that its provider did not take, and say why it did not."""
        self.ending = Ending.REFUSED
        self.status = answer.status
        wait = self.lane.refused(answer.status, answer.headers, self._sent, probe=self._probe)
        self._probe = False
        await self._settle(NOTHING)
        body = await self._read(answer, _MAX_REFUSAL_BYTES)
        said = "" if wait is None else str(wait)
        refusal = from_status(self.lane.provider.spec.id, answer.status, self.redactor.whole(body), said)
        way = shapes(self.lane.provider)
        self.anew = way is not None and way.learns(answer.status, body)
        if wait is not None and refusal.retry_after_seconds is not None:
            refusal.retry_after_seconds = wait
        self.lane.said = refusal
        return refusal

    async def _whole(self, answer: Answer, sink: Sink) -> None:
        try:
            self.begins()
            body, usage = self.codec.whole(await self._read(answer, self.bounds.answer_bytes))
        except Refusal as refusal:
            raise await self._spent(refusal) from refusal
        except asyncio.CancelledError:
            await answer.aclose()  # before anything that waits: who is gone wants no more of it
            await self._left(estimate(self.ask.size, 0))
            raise
        self.ending = Ending.ANSWERED
        self.lane.circuit.well()
        charge = await self._settle(usage or estimate(self.ask.size, len(body)))
        await sink.whole(body, charge.text())

    async def _relay(self, answer: Answer, sink: Sink) -> None:
        reading = self.codec.reading()
        trouble: Refusal | None = None
        try:
            _check_event_stream(answer)
            await self._pass(answer, reading, sink)
            if not reading.complete and not reading.failed:
                trouble = provider_error(f"provider {self.lane.provider.spec.id} ended its answer early")
        except (Refusal, TimeoutError, Garbage, WireError) as error:
            trouble = self._trouble(error)
        except (CallerGone, asyncio.CancelledError):
            await answer.aclose()  # as above
            await self._left(reading.settle(self.ask.size))
            raise
        await self._finish(reading, sink, trouble)
        if reading.done:
            await _drain(answer)

    async def _pass(self, answer: Answer, reading: Reading, sink: Sink) -> None:
        """Pass on what comes until the stream says that it is done, or ends: at once, where the caller has room."""
        flow = Flow(reading)
        intake = self._intake(answer, self.bounds.answer_bytes)

        def put(piece: bytes) -> bool:
            if ready := flow.feed(piece):
                sink.put(ready)
            if flow.spoilt:
                raise flow.spoilt
            return sink.room and not reading.done

        while not reading.done and (piece := await intake.next()):
            if ready := flow.feed(piece):
                if not sink.started:
                    self._check_first(reading, ready)
                    self.begins()
                await sink.send(ready)
            if flow.spoilt:
                raise flow.spoilt
            if sink.started and sink.room and not reading.done:
                await intake.flow(put)

    def _check_first(self, reading: Reading, ready: bytes) -> None:
        """Refuse a stream that is nothing but an error: there is still time to say so, or to ask somebody else."""
        if reading.failed and ready.count(b"\n\n") + ready.count(b"\r\n\r\n") == 1:
            name, said = self.lane.provider.spec.id, told(self.redactor.whole(ready))
            raise provider_error(f"provider {name} told of an error{said}")

    async def _finish(self, reading: Reading, sink: Sink, trouble: Refusal | None) -> None:
        """Write the ledger row, and only then the stream's last bytes."""
        if trouble is None and reading.complete:
            self.ending = Ending.ANSWERED
            self.lane.circuit.well()
        else:
            self._failed(trouble or provider_error(f"provider {self.lane.provider.spec.id} told of an error"))
        try:
            charge = await self._settle(reading.settle(self.ask.size))
        except Refusal as refusal:
            if not sink.started:
                raise
            await sink.end(reading.broken(refusal))
            return
        if trouble and not sink.started:
            trouble.usage = charge.text()
            raise trouble
        if not sink.started:
            self.begins()
        last = reading.broken(trouble) if trouble else reading.end()
        await sink.end(last + b": signet-usage " + charge.text() + b"\n\n")

    def _intake(self, answer: Answer, limit: int) -> Intake:
        deadlines = self.bounds.deadlines
        return Intake(answer, self._watch, deadlines, self.arrived + deadlines.total_seconds, limit)

    async def _read(self, answer: Answer, limit: int) -> bytes:
        try:
            return await self._intake(answer, limit).whole()
        except (TimeoutError, WireError) as error:
            raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> Refusal:
        name = self.lane.provider.spec.id
        if isinstance(error, Refusal):
            return error
        if isinstance(error, WireError):
            return self._fault(error)
        if isinstance(error, Garbage):
            return provider_error(f"provider {name} sent {error}")
        return provider_timeout(f"provider {name} was not done in {self.bounds.deadlines.total_seconds:g} s")

    def _fault(self, error: WireError) -> Refusal:
        return from_fault(self.lane.provider.spec.id, error.fault, self.redactor.text(str(error)))

    def _failed(self, refusal: Refusal) -> None:
        """Take note that nothing comes any more of a call that was taken."""
        late = refusal.code == "provider_timeout"
        self.ending = Ending.TIMEOUT if late else Ending.BROKEN
        self.lane.failed(refusal, self._sent, probe=self._probe, late=late)

    async def _spent(self, refusal: Refusal) -> Refusal:
        """Settle a call that brought nothing, which its provider may charge all the same."""
        self._failed(refusal)
        charge = await self._settle(estimate(self.ask.size, 0))
        refusal.usage = charge.text()
        return refusal

    async def _left(self, usage: Usage) -> None:
        """Settle a call whose caller is gone."""
        self.ending = Ending.LEFT
        await self._settle(usage)

    async def _settle(self, usage: Usage) -> Charge:
        """Write the call's row; it is on disk when this returns. Raises Refusal (503) where it cannot be."""
        used = self.reservation.estimate.within(usage)
        lane = self.lane
        charge = Charge(self.reservation.call, lane.provider.spec.id, lane.upstream, used, cost(self.price, used))
        self.cost_microusd = charge.cost_microusd
        row = self.reservation.ended_as(
            used, charge.cost_microusd, self.ending.value, arrived=self.arrived, attempts=self.number
        )
        if (said := source(self.price, used)) != row.price_source:
            row = row._replace(price_source=said)
        self.sight.settled(row)
        await self.reservation.settle(row)
        return charge


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
