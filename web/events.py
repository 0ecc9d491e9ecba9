"""The one event stream of a tab: every run it watches, multiplexed, resumable, and as fast as its reader, no faster."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from signet.client import AsyncSignet, SignetError
from signet.kit.errors import NotFound, OutOfRange, PermissionDenied, Unauthenticated
from signet.kit.log import get
from signet.kit.times import now_micros
from signet.v1.events_pb2 import RunEvent
from web.patch import patch
from web.progress import Progress
from web.site import Site

TOPICS = 8
"""Runs that one tab may watch."""

BEAT_SECONDS = 15.0
"""Between comments on a silent stream, so that proxies keep it open and a dead one is noticed."""

SEND_SECONDS = 30.0
"""How long a reader may take nothing before the stream is ended; it resumes where it was."""

_QUEUE = 512  # events between control and the reader; beyond it control is not asked for more
_GATHER_SECONDS = 0.04
_RETRY_MILLISECONDS = 1_500

_log = get("web")


@dataclass
class Watch:
    """One run on a stream: folded from its first event, drawn from after the position that the page has."""

    progress: Progress
    after: int
    over: bool = False
    batch: list[RunEvent] = field(default_factory=list)

    def feed(self) -> None:
        """Fold what was gathered; the page has what it told us it has."""
        known = [event for event in self.batch if event.sequence <= self.after]
        if known:
            self.progress.feed(known)
            self.progress.clean()
        self.progress.feed(self.batch)
        self.batch.clear()


def parse(topics: str, last_event_id: str) -> list[Watch]:
    """Give what is to be watched: `run:ID:AFTER` with commas between; a Last-Event-ID, `ID=AFTER;…`, wins.

    Raises HTTPException 400 for anything else and beyond TOPICS.
    """
    seen = dict(_positions(last_event_id))
    watches = []
    for topic in filter(None, topics.split(",")):
        kind, _, rest = topic.partition(":")
        ident, _, after = rest.partition(":")
        if kind != "run" or not ident or not (after or "0").isdecimal():
            raise HTTPException(400, "Topics are `run:ID:AFTER`, with commas between.")
        watches.append(Watch(Progress(f"runs/{ident}"), max(seen.get(ident, 0), int(after or 0))))
    if not 1 <= len(watches) <= TOPICS:
        raise HTTPException(400, f"A stream has 1 to {TOPICS} topics.")
    return watches


def _positions(last_event_id: str) -> Iterable[tuple[str, int]]:
    for pair in last_event_id[:1024].split(";"):
        ident, _, after = pair.partition("=")
        if ident and after.isdecimal():
            yield ident, int(after)


async def events(site: Site, request: Request) -> Response:
    """Open the stream of a tab."""
    token = site.cookie.token(request)
    watches = parse(request.query_params.get("topics", ""), request.headers.get("last-event-id", ""))
    if site.streams.full:
        raise HTTPException(503, f"{site.options.streams} event streams are open; close another tab.")
    return Stream(site, site.client.acting_as(token), watches)


class Stream(Response):
    """Runs until every run is final, the reader leaves or the process ends. A cancel ends it at once."""

    media_type = "text/event-stream"

    def __init__(self, site: Site, client: AsyncSignet, watches: list[Watch]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._site = site
        self._client = client
        self._watches = watches
        self._queue: asyncio.Queue[tuple[Watch, RunEvent | SignetError | None]] = asyncio.Queue(_QUEUE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        with self._site.streams.one():
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            writer = asyncio.create_task(self._write(send))
            pumps = [asyncio.create_task(self._pump(watch)) for watch in self._watches]
            leaving = asyncio.create_task(self._left(receive))
            closing = asyncio.create_task(self._site.closing.wait())
            tasks = [writer, leaving, closing, *pumps]
            try:
                await asyncio.wait([writer, leaving, closing], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            if not _faulted(results) and leaving.cancelled():  # else nobody is there to be told of the end
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _pump(self, watch: Watch) -> None:
        """Pull one run's events; a full queue stops the pulling."""
        try:
            async with aclosing(self._client.runs.watch(watch.progress.run)) as stream:
                async for event in stream:
                    await self._queue.put((watch, event))
            await self._queue.put((watch, None))
        except SignetError as error:
            await self._queue.put((watch, error))

    async def _write(self, send: Send) -> None:
        await self._send(send, f"retry: {_RETRY_MILLISECONDS}\n\n")
        while not all(watch.over for watch in self._watches):
            failure = await self._gather(send)
            for watch in self._watches:
                if watch.batch or (watch.over and watch.progress.changed):
                    await self._draw(send, watch)
            if failure:
                await self._fail(send, failure)
                return
            await asyncio.sleep(_GATHER_SECONDS)  # gathers what comes meanwhile into one message
        await self._send(send, "event: end\ndata: {}\n\n")

    async def _gather(self, send: Send) -> SignetError | None:
        """Wait for something, then take all that is there; a failure waits behind the events before it."""
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                watch, item = await self._queue.get()
        except TimeoutError:
            await self._send(send, ": beat\n\n")
            return None
        while True:
            if isinstance(item, SignetError):
                return item
            if item is None:
                watch.over = True
            else:
                watch.batch.append(item)
            if self._queue.empty():
                return None
            watch, item = self._queue.get_nowait()

    async def _draw(self, send: Send, watch: Watch) -> None:
        watch.feed()
        progress = watch.progress
        if not progress.active and not progress.record:
            await self._seal(progress)
        if progress.sequence <= watch.after and progress.active:
            return
        operations = patch(progress, self._site.views, now_micros())
        data = {"run": progress.key, "final": not progress.active, "operations": operations}
        position = ";".join(f"{one.progress.key}={max(one.progress.sequence, one.after)}" for one in self._watches)
        await self._send(send, f"id: {position}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n")

    async def _seal(self, progress: Progress) -> None:
        """Learn the digests, which no event can carry; the page does without where control is away by now."""
        try:
            progress.seal(await self._client.runs.get(progress.run))
        except SignetError as error:
            _log.warning("record_digest_missing", run=progress.run, reason=error.reason)
        progress.changed["state"] = None

    async def _fail(self, send: Send, failure: SignetError) -> None:
        name = "away"
        if isinstance(failure, Unauthenticated | PermissionDenied):
            name = "signed-out"
        elif isinstance(failure, NotFound | OutOfRange):
            name = "gone"
        await self._send(send, f"event: {name}\ndata: {json.dumps({'problem': failure.message})}\n\n")

    async def _send(self, send: Send, text: str) -> None:
        message: Message = {"type": "http.response.body", "body": text.encode(), "more_body": True}
        async with asyncio.timeout(SEND_SECONDS):
            await send(message)


def _faulted(results: Iterable[object]) -> bool:
    """Tell whether the reader was too slow: its connection is closed as it is. Raises what is a fault of ours."""
    for result in results:
        if isinstance(result, TimeoutError):
            _log.warning("reader_too_slow", seconds=SEND_SECONDS)
            return True
        if isinstance(result, Exception):
            raise result
    return False
