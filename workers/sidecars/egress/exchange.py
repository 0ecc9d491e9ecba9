"""One request of the sandbox on a connection that is looked into, and its answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

from workers.sidecars.egress import body, head, lend, websocket
from workers.sidecars.egress.admission import Admission, denied
from workers.sidecars.egress.body import CHUNKED, UNTIL_END
from workers.sidecars.egress.denial import Denied, Gone
from workers.sidecars.egress.head import Head, Headers
from workers.sidecars.egress.lend import Lent
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.passage import Passage
from workers.sidecars.egress.placeholder import Scan
from workers.sidecars.egress.redact import Redactor
from workers.sidecars.egress.rules import Rules
from workers.sidecars.egress.target import HTTPS
from workers.sidecars.egress.upstream import Upstream
from workers.sidecars.egress.vault import Vault
from workers.sidecars.egress.wire import Wire, left, moved

_REPEATED = frozenset({"GET", "HEAD", "OPTIONS"})
"""Sent once more where a connection that was used before turned out to be closed."""
_PLAIN = {"", "identity"}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """What every exchange on one passage shares. `usual` is the port that a Host header leaves out."""

    rules: Rules
    admission: Admission
    vault: Vault
    limits: Limits
    passage: Passage
    upstream: Upstream
    usual: int


class Exchange:
    """One request and its answer, between a client's wire and a place."""

    def __init__(self, client: Wire, place: Place) -> None:
        self._client, self._place = client, place
        self._begun = False

    async def run(self, asked: Head, path: str) -> bool:
        """Do it; whether the connection can take another. Raises Denied where nothing was answered yet, Gone."""
        try:
            return await self._run(asked, path)
        except Denied as refused:
            if self._begun:
                raise Gone(refused.message) from refused
            raise
        finally:
            self._place.passage.request = None

    async def _run(self, asked: Head, path: str) -> bool:
        place, method = self._place, asked.words[0]
        passage = place.passage
        decision = place.rules.request(passage.decision, method, path)
        place.admission.note(passage, decision, method, path)
        if not decision.passes:
            raise denied(decision, passage.target, passage.shown)
        passage.request = (method, path)  # from now on it is closed where it is no longer let through
        length = body.of_request(asked)
        order = place.rules.order
        if order is None:
            raise Gone("nothing is in force")
        private = place.usual == HTTPS
        lent = await lend.prepare(order, place.vault, passage.target, path, asked.passed(), private=private)
        if "100-continue" in asked.listed("expect"):
            await self._client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        again = place.upstream.used and method in _REPEATED and not length
        try:
            return await self._forward(asked, path, lent, length)
        except Gone:
            if not again or self._begun:
                raise
            place.upstream.drop()
            return await self._forward(asked, path, lent, length)

    async def _forward(self, asked: Head, path: str, lent: Lent, length: int) -> bool:
        upstream = await self._place.upstream.wire()
        upgrade = websocket.wanted(asked)
        await self._timed(upstream.send(self._written(asked, path, lent.headers, length, upgrade=upgrade)))
        sending = asyncio.create_task(self._send(upstream, length))
        try:
            answer = await self._answer(upstream, sending)
            if answer.words[0] == "101":
                if not upgrade:
                    raise Denied(502, "bad_answer", "it changed the protocol unasked")
                self._begun = True
                await websocket.run(self._client, upstream, answer, Redactor(lent.values), self._place.limits)
                return False
            reusable = await self._relay(upstream, asked, answer, lent)
            whole = sending.done() and not sending.cancelled() and sending.exception() is None
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        self._place.upstream.used = True
        if not (reusable and whole):
            self._place.upstream.drop()
        return whole and not asked.closes and asked.minor == 1

    def _written(self, asked: Head, path: str, headers: Headers, length: int, *, upgrade: bool) -> bytes:
        target = self._place.passage.target
        framing = body.announced(length) if length or asked.all("content-length") else ()
        more = ("connection: Upgrade", "upgrade: websocket") if upgrade else ()
        host = ("host", target.authority(self._place.usual))
        rest = tuple(pair for pair in headers if pair[0].lower() != "host")
        return head.written(f"{asked.words[0]} {path} HTTP/1.1", (host, *rest), *framing, *more)

    async def _send(self, upstream: Wire, length: int) -> None:
        """Send the body on. Raises Denied for a placeholder in it, Gone."""
        if not length:
            return
        scan = Scan()
        async for piece in self._pieces(self._client, length, strict=True):
            if passed := scan.feed(piece):
                await self._timed(upstream.send(body.framed(passed, length)))
        rest = scan.end()
        last = body.framed(b"", length) if length == CHUNKED else b""
        if rest or last:
            await self._timed(upstream.send((body.framed(rest, length) if rest else b"") + last))

    async def _answer(self, upstream: Wire, sending: "asyncio.Task[None]") -> Head:
        """Wait for an answer, which may come before the request was sent whole. Raises Denied, Gone."""
        reading = asyncio.create_task(head.response(upstream, self._place.limits))
        leaving: asyncio.Task[bool] | None = None
        try:
            await asyncio.wait([reading, sending], return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and isinstance(error := sending.exception(), Denied):
                raise error
            if sending.done():  # nobody else reads there now
                leaving = asyncio.create_task(left(self._client))
                await self._first(reading, leaving)
            return await self._read(reading)
        finally:
            tasks = [task for task in (reading, leaving) if task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _first(self, reading: "asyncio.Task[Head]", leaving: "asyncio.Task[bool]") -> None:
        """Wait for an answer for as long as there is somebody to give it to. Raises Denied, Gone."""
        seconds = self._place.limits.idle_seconds
        await asyncio.wait([reading, leaving], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done() and not reading.done():
            if leaving.result():
                raise Gone("the client went away")
            await asyncio.wait([reading], timeout=seconds)
        if not reading.done():
            raise Denied(504, "no_answer", "there was no answer in time")

    async def _read(self, reading: "asyncio.Task[Head]") -> Head:
        try:
            return await self._timed(reading)
        except Denied as refused:
            raise _bad(refused) from refused

    async def _relay(self, upstream: Wire, asked: Head, answer: Head, lent: Lent) -> bool:
        """Pass an answer on; whether the upstream can be asked again."""
        redact = Redactor(lent.values)
        length = self._length(asked, answer, guarded=bool(redact))
        sent = length
        if length and (length < 0 or redact):
            sent = CHUNKED if asked.minor else UNTIL_END
        await self._begin(asked, answer, redact, sent, length)
        if length:
            async for piece in self._pieces(upstream, length, strict=False):
                if passed := redact.feed(piece):
                    await self._timed(self._client.send(body.framed(passed, sent)))
            rest = redact.end()
            last = body.framed(b"", sent) if sent == CHUNKED else b""
            await self._timed(self._client.send((body.framed(rest, sent) if rest else b"") + last))
        return length != UNTIL_END and not answer.closes

    def _length(self, asked: Head, answer: Head, *, guarded: bool) -> int:
        if guarded and answer.one("content-encoding").lower() not in _PLAIN:
            raise Denied(502, "answer_encoded", "the answer is compressed, so that a secret in it could not be found")
        try:
            return body.of_response(answer, asked.words[0])
        except Denied as refused:
            raise _bad(refused) from refused

    async def _begin(self, asked: Head, answer: Head, redact: Redactor, sent: int, length: int) -> None:
        headers = tuple((name, redact.text(text)) for name, text in _passed(answer))
        bodiless = asked.words[0] == "HEAD" or answer.words[0] in {"204", "304"}
        framing = body.announced(sent) if not bodiless else ()
        if asked.words[0] == "HEAD" and not redact and answer.all("content-length"):
            framing = (f"content-length: {answer.one('content-length')}",)
        closing = ("connection: close",) if asked.closes or not asked.minor else ()
        first = f"HTTP/1.1 {answer.words[0]} {redact.text(answer.words[1])}"
        self._begun = True
        await self._timed(self._client.send(head.written(first, headers, *framing, *closing)))

    async def _pieces(self, wire: Wire, length: int, *, strict: bool) -> AsyncIterator[bytes]:
        """Give a body's pieces, each in time, and not more in all than a connection may carry. Raises Gone, Denied."""
        upstream = self._place.upstream.plain
        pieces = body.pieces(wire, length, strict=strict)
        while piece := await self._timed(anext(pieces, b"")):
            if moved(self._client) + (upstream.moved if upstream else 0) > self._place.limits.total_bytes:
                raise Gone("it carried as many bytes as it may")
            yield piece

    async def _timed(self, wait: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(self._place.limits.idle_seconds):
                return await wait
        except TimeoutError as error:
            raise Gone("it was silent for too long") from error


def _passed(answer: Head) -> Headers:
    try:
        return answer.passed()
    except Denied as refused:
        raise _bad(refused) from refused


def _bad(refused: Denied) -> Denied:
    """Say of an answer what its reader said of it."""
    return Denied(502, "bad_answer", f"the answer is no good HTTP/1.1: {refused.message}")
