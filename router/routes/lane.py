"""One model at one provider, as calls find it: its circuit, its limit, its speed; shared by all routes to it."""

import time
from collections.abc import Mapping
from dataclasses import replace

from router.budgets.estimate import Ceiling, limit_field
from router.budgets.reservation import Target as Billed
from router.dialects.forms import form
from router.gate import Gate
from router.model import Health, Model, State
from router.providers.contract import Provider
from router.refusal import Refusal
from router.routes.circuit import Circuit
from router.routes.concurrency import Limiter
from router.routes.retry import retry_after
from router.routes.speed import Speed
from router.wire import Target

HOPS = "x-signet-hops"
"""How many routers a call has passed."""

_PUSHED = (429, 503, 529)  # the last is Anthropic's for being overloaded
_OURS = (400, 413, 422)  # the request itself is wrong
_UNCLEAR = (403,)  # of some keys, and of some requests
_ERRORS = 500


class Noticed(Health):
    """How a provider is as far as one call can tell. Choosing goes by circuits and by what providers find out."""


_WELL = Noticed(State.READY)


class Lane:
    """The state of one model at one provider; nothing of it runs by itself.

    `most`: calls at once at most. `active` calls run, through `gate`, which is known after the first one. `said` is
    what the last call was told that went wrong there.
    """

    __slots__ = ("_billed", "_ceiling", "_given", "_hopped", "_offers", "active", "charged", "circuit", "field", "form",
                 "gate", "limiter", "name", "provider", "said", "speed", "upstream")  # fmt: skip

    def __init__(self, provider: Provider, upstream: str, most: int) -> None:
        spec = provider.spec
        self.provider = provider
        self.upstream = upstream
        self.name = f"{spec.id}/{upstream}"
        self.charged = f"providers/{spec.id}"
        self.form = form(spec.kind)
        self.field = limit_field(spec.base_url)
        self.circuit = Circuit()
        self.limiter = Limiter(most)
        self.speed = Speed()
        self.active = 0
        self.gate: Gate | None = None
        self.said: Refusal | None = None
        self._offers: tuple[str, ...] | None = None
        self._billed: Billed | None = None
        self._ceiling: Ceiling | None = None
        self._given: Target | None = None
        self._hopped: Target | None = None

    @property
    def allowed(self) -> int:
        """How many calls may run now."""
        return self.limiter.allowed

    @property
    def model(self) -> Model:
        """What its provider says of the model."""
        return self.provider.model(self.upstream)

    def offered(self) -> bool:
        """Whether its provider can be asked for the model."""
        offer = self.provider.offer()
        if offer.open or offer.models is self._offers:
            return True
        if self.upstream not in offer.models:
            return False
        self._offers = offer.models  # which may be thousands, and change seldom
        return True

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost with it but its speed."""
        return self.active == 0 and self.circuit.untouched

    def told(self, target: Target, hops: int, trace: Mapping[str, str]) -> Target:
        """Give a target that is told how many routers the call has passed with this one, and of its trace."""
        sent = self._passed(target, hops)
        return replace(sent, headers={**sent.headers, **trace}) if trace else sent

    def _passed(self, target: Target, hops: int) -> Target:
        if hops == 0 and target is self._given and self._hopped is not None:
            return self._hopped
        sent = replace(target, headers={**target.headers, HOPS: str(hops + 1)})
        if hops == 0:
            self._given, self._hopped = target, sent
        return sent

    def billed(self, model: str, source: str) -> Billed:
        """Say what a call is charged to: the model as it was asked for, and where its price is from."""
        found = self._billed  # of the last call, and mostly of this one, too
        if found is None or found.price_source != source or found.model != model:
            found = self._billed = Billed(self.charged, model, self.upstream, source)
        return found

    def ceiling(self, context_tokens: int, output_tokens: int, seconds: float) -> Ceiling:
        """Say what bounds a call besides what it says itself; the last two are the same for all calls of a router."""
        found = self._ceiling  # as above
        if found is None or found.context_tokens != context_tokens:
            found = self._ceiling = Ceiling(context_tokens, output_tokens, seconds, self.field)
        return found

    def shut(self, now: float) -> Refusal:
        """Make what a call is told that cannot be sent there now."""
        wait = self.circuit.wait(now)
        seconds = max(int(-(-wait // 1)), 1)
        said = self.said
        if said is None:
            return Refusal(503, "provider_unavailable", f"{self.name} is not asked now", retry_after_seconds=seconds)
        why = "it asked for that" if self.circuit.held(now) else "its last calls failed"
        message = f"{said.message} ({self.name} is not asked again for {seconds} s: {why})"
        return Refusal(said.status, said.code, message, said.param, retry_after_seconds=seconds)

    def answered(self, sent: float, *, stream: bool, probe: bool) -> None:
        """Take note that an answer begins which is none of an error; it was asked for at `sent`."""
        now = time.monotonic()
        self.limiter.answered(sent, now, self.active, stream=stream)
        self.speed.measured(now - sent, now)
        if probe:
            self.circuit.began(probe=True)
        if self.provider.health is not _WELL:
            self.provider.observe(_WELL)

    def refused(self, status: int, headers: Mapping[str, str], sent: float, *, probe: bool) -> int | None:
        """Take note of an answer that is an error; gives the seconds for which it wants to be left alone."""
        now = time.monotonic()
        wait = retry_after(headers, time.time())
        if status in _PUSHED:
            self.limiter.pushed(sent, now)
            if wait:
                self.circuit.hold(now + wait)
        if status in _OURS:
            self.circuit.began(probe=probe)
            self.circuit.well()
        elif status in _UNCLEAR:
            self.circuit.unknown(probe=probe)
        else:
            self.circuit.failed(now, probe=probe)
        self.provider.observe(_seen(status))
        return None if wait is None else max(int(-(-wait // 1)), 1)

    def failed(self, refusal: Refusal, sent: float, *, probe: bool, late: bool) -> None:
        """Take note that a call came to nothing; `late`: because a deadline passed."""
        now = time.monotonic()
        if late:
            self.limiter.pushed(sent, now)
        self.said = refusal
        self.circuit.failed(now, probe=probe)

    def unreachable(self, refusal: Refusal, *, probe: bool) -> None:
        """Take note that there is nobody."""
        self.said = refusal
        self.circuit.failed(time.monotonic(), probe=probe)
        self.provider.observe(Noticed(State.UNAVAILABLE, refusal.message))


def _seen(status: int) -> Noticed:
    if status in (401, 403):
        return Noticed(State.UNAVAILABLE, f"it refused the key ({status})")
    if status >= _ERRORS:
        return Noticed(State.UNAVAILABLE, f"it answered {status}")
    return _WELL
