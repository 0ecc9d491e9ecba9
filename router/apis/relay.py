"""One call of an API: reserved, sent, its answer passed on as it comes, settled whatever happens."""

import asyncio
import math
import time
from dataclasses import dataclass, field, replace

from router.apis.api import Api
from router.apis.asked import Asked
from router.apis.place import answered, headers, query
from router.authorise import Identity
from router.budgets.estimate import Estimate
from router.budgets.meter import Meter
from router.budgets.reservation import Reservation, Target
from router.observe.tally import Tally
from router.options import Deadlines
from router.redaction.redactor import Redactor
from router.refusal import Refusal
from router.reply import Reply
from router.sink import CallerGone
from router.usage import NOTHING, Charge
from router.watch import Watch
from router.wire import Answer, Fault, Request, Wire, WireError
from router.wire import Target as Upstream
from signet.kit.log import Log
from signet.kit.names import uuid7

_REFUSED = 400  # from this status on an answer is a refusal
_BODILESS = (204, 304)
_OUTCOMES = {Fault.TIMEOUT: "timeout", Fault.BROKEN: "broken"}


@dataclass(frozen=True)
class Sent:
    """What a caller sent: what it asks, its headers as they came, and its body."""

    asked: Asked
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Relay:
    """Calls APIs. Redirects are passed on and never followed: a credential goes to its API's address, nowhere else.

    A call costs its price whatever the API answers, for nobody knows what it charges for; one that never reached it
    costs nothing. `redactor` knows every credential that the vault gives.
    """

    wire: Wire
    meter: Meter
    deadlines: Deadlines
    redactor: Redactor
    tally: Tally
    log: Log

    async def call(self, api: Api, who: Identity, sent: Sent, credential: str, reply: Reply) -> None:
        """Bring the answer to the caller. Raises Refusal while nothing was sent, and CallerGone.

        CallerGone, too, where an answer breaks off that had begun: the caller's connection is cut, so that nobody
        takes the part for the whole.
        """
        price = api.call_price_microusd
        charged = Target(api.name, api.name, price_source="" if price is None else "user")
        most = Estimate(price, 0, 0, math.ceil(self.deadlines.total_seconds))
        try:
            async with await self.meter.reserve(who, charged, most, uuid7()) as reservation:
                call = _Call(self, api, reservation, reply)
                await call.run(*_request(api, sent, credential))
        except Refusal as refusal:
            if not reply.started:
                raise
            self.log.warning("api_cut", api=api.name, code=refusal.code)
            raise CallerGone from refusal


class _Call:
    """A call that is reserved."""

    def __init__(self, relay: Relay, api: Api, reservation: Reservation, reply: Reply) -> None:
        self._relay = relay
        self._api = api
        self._reservation = reservation
        self._redactor = relay.redactor
        self._flow = relay.redactor.stream()
        self._reply = reply
        self._watch = Watch()

    async def run(self, upstream: Upstream, request: Request) -> None:
        try:
            answer = await self._open(upstream, request)
            try:
                await self._answer(answer, bodiless=request.method == "HEAD" or answer.status in _BODILESS)
            finally:
                await answer.aclose()  # which never waits, so that nothing comes between
        finally:
            self._watch.close()

    async def _open(self, upstream: Upstream, request: Request) -> Answer:
        seconds = self._relay.deadlines.first_byte_seconds
        try:
            with self._watch(seconds):
                answer = await self._relay.wire.open(upstream, request)
        except TimeoutError as error:
            late = WireError(Fault.TIMEOUT, f"it did not begin to answer in {seconds:g} s")
            raise await self._failed(late) from error
        except WireError as error:
            raise await self._failed(error) from error
        except asyncio.CancelledError:
            await self._settle("left")
            raise
        self._reservation.first_byte()
        return answer

    async def _answer(self, answer: Answer, *, bodiless: bool) -> None:
        """Pass the answer on. What is left of it is sent when the call is settled."""
        try:
            async with asyncio.timeout(self._left()):
                last = await self._pass(answer, bodiless=bodiless)
        except TimeoutError as error:
            late = WireError(Fault.TIMEOUT, f"it was not done in {self._relay.deadlines.total_seconds:g} s")
            raise await self._failed(late) from error
        except WireError as error:
            raise await self._failed(error) from error
        except (CallerGone, asyncio.CancelledError):
            await self._settle("left")
            raise
        await self._settle("refused" if answer.status >= _REFUSED else "answered")
        if not self._reply.started:
            await self._begin(answer, None if bodiless else len(last))
        await self._reply.end(last)

    async def _pass(self, answer: Answer, *, bodiless: bool) -> bytes:
        """Send what comes, but for the last of it."""
        said = answer.headers.get("content-length", "")
        whole = int(said) if said.isdecimal() else -1
        size, last = 0, b""
        if whole > self._api.answer_bytes and not bodiless:
            raise self._too_large()
        while piece := await self._next(answer):
            size += len(piece)
            if size > self._api.answer_bytes:
                raise self._too_large()
            ready = last + self._flow.feed(piece)
            last = b""
            if size == whole:
                last = ready
            elif ready:
                if not self._reply.started:
                    await self._begin(answer)
                await self._reply.send(ready)
        return last + self._flow.end()

    async def _next(self, answer: Answer) -> bytes:
        seconds = self._relay.deadlines.idle_seconds
        try:
            with self._watch(seconds):
                return await answer.read()
        except TimeoutError as error:
            raise WireError(Fault.TIMEOUT, f"it sent nothing for {seconds:g} s") from error

    async def _begin(self, answer: Answer, length: int | None = None) -> None:
        """Send the head. The usage is known before the end: it is a call, and its price."""
        told = [(name, self._redactor.text(value)) for name, value in answered(answer.headers.items())]
        told.append(("x-signet-usage", self._charge().text().decode()))
        if length is not None:
            told.append(("content-length", str(length)))
        encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in told]
        await self._reply.begin(answer.status, encoded)

    async def _failed(self, error: WireError) -> Refusal:
        """Settle a call that got no answer, or not the whole of one, and give what its caller is told."""
        name, said = self._api.name, self._redactor.text(str(error))
        if error.fault is Fault.UNREACHABLE:
            await self._reservation.release()
            return Refusal(503, "api_unavailable", f"{name}: {said}", retry_after_seconds=5)
        await self._settle(_OUTCOMES[error.fault])
        status, code = (504, "api_timeout") if error.fault is Fault.TIMEOUT else (502, "api_error")
        refusal = Refusal(status, code, f"{name}: {said}")
        refusal.usage = self._charge().text()
        return refusal

    def _too_large(self) -> WireError:
        return WireError(Fault.BROKEN, f"its answer is larger than {self._api.answer_bytes} bytes")

    def _charge(self) -> Charge:
        return Charge(self._reservation.call, "", self._api.name, NOTHING, self._api.call_price_microusd)

    def _left(self) -> float:
        return max(self._reservation.began + self._relay.deadlines.total_seconds - time.monotonic(), 0.0)

    async def _settle(self, outcome: str) -> None:
        """Write the call's row; it is on disk when this returns. Raises Refusal (503) where it cannot be."""
        price = self._api.call_price_microusd
        row = self._reservation.ended_as(NOTHING, price, outcome)
        self._relay.tally.call(row)
        await self._reservation.settle(row)


def _request(api: Api, sent: Sent, credential: str) -> tuple[Upstream, Request]:
    asked = sent.asked
    text = query(asked.query, api.place, credential)
    given = headers(sent.headers, api.place, credential)
    kind = given.pop("content-type", "")
    body = sent.body or (None if asked.method in ("GET", "HEAD") else b"")
    request = Request(f"{asked.path}?{text}" if text else asked.path, body, asked.method)
    return Upstream(api.base_url, headers=given), replace(request, content_type=kind)
