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
from signet.kit.errors import NotFound, OutOfRange, PermissionDenied, Unauthenticated, Unavailable
from signet.kit.log import get
from signet.kit.times import now_micros
from signet.v1.events_pb2 import RunEvent
from web import feeds
from web.feeds import Feed
from web.patch import Operation, patch
from web.progress import Progress
from web.questions import learn
from web.site import Site

TOPICS = 8
"""What one tab may watch: runs, the approvals, a log."""

BEAT_SECONDS = 15.0
"""Between comments on a silent stream, so that proxies keep it open and a dead one is noticed."""

SEND_SECONDS = 30.0
"""How long a reader may take nothing before the stream is ended; it resumes where it was."""

_QUEUE = 512  # events between control and the reader; beyond it control is not asked for more
_GATHER_SECONDS = 0.04
_RETRY_MILLISECONDS = 1_500

_log = get("web")

Item = RunEvent | list[Operation] | SignetError | None


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


def parse(topics: str, last_event_id: str) -> list[Watch | Feed]:
    """Give what is to be watched: `run:ID:AFTER`, `approvals`, `logs:SANDBOX`, with commas between.

    For runs a Last-Event-ID, `ID=AFTER;…`, wins. Raises HTTPException 400 for anything else and beyond TOPICS.
    """
    seen = dict(_positions(last_event_id))
    watches: list[Watch | Feed] = []
    for topic in filter(None, topics.split(",")):
        feed = feeds.parse(topic)
        if feed is not None:
            watches.append(feed)
            continue
        kind, _, rest = topic.partition(":")
        ident, _, after = rest.partition(":")
        if kind != "run" or not ident or not (after or "0").isdecimal():
            raise HTTPException(400, "Topics are `run:ID:AFTER`, `approvals` and `logs:SANDBOX`, with commas between.")
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

    def __init__(self, site: Site, client: AsyncSignet, topics: list[Watch | Feed]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._site = site
        self._client = client
        self._watches = [topic for topic in topics if isinstance(topic, Watch)]
        self._feeds = [topic for topic in topics if not isinstance(topic, Watch)]
        self._drawn: list[Operation] = []  # by feeds, until it is sent
        self._queue: asyncio.Queue[tuple[Watch | Feed, Item]] = asyncio.Queue(_QUEUE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        with self._site.streams.one():
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            writer = asyncio.create_task(self._write(send))
            pumps = [asyncio.create_task(self._pump(watch)) for watch in self._watches]
            pumps += [asyncio.create_task(self._follow(feed)) for feed in self._feeds]
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

    async def _follow(self, feed: Feed) -> None:
        """Pull what a feed draws; one that control does not know of is as if it had nothing to tell."""
        try:
            async with aclosing(feed.follow(self._client, self._site.views)) as stream:
                async for operations in stream:
                    await self._queue.put((feed, operations))
        except (Unavailable, Unauthenticated, PermissionDenied) as error:
            await self._queue.put((feed, error))
        except SignetError as error:
            _log.warning("feed_failed", feed=type(feed).__name__, reason=error.reason)
        await self._queue.put((feed, None))

    async def _write(self, send: Send) -> None:
        await self._send(send, f"retry: {_RETRY_MILLISECONDS}\n\n")
        while self._feeds or not all(watch.over for watch in self._watches):
            failure = await self._gather(send)
            for watch in self._watches:
                if watch.batch or (watch.over and watch.progress.changed):
                    await self._draw(send, watch)
            if self._drawn:
                data = {"run": "", "final": False, "operations": self._drawn}
                await self._send(send, f"data: {json.dumps(data, ensure_ascii=False)}\n\n")
                self._drawn = []
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
            self._take(watch, item)
            if self._queue.empty():
                return None
            watch, item = self._queue.get_nowait()

    def _take(self, source: Watch | Feed, item: RunEvent | list[Operation] | None) -> None:
        if isinstance(source, Watch):
            if isinstance(item, RunEvent):
                source.batch.append(item)
            else:
                source.over = True
        elif isinstance(item, list):
            self._drawn += item
        else:
            self._feeds.remove(source)

    async def _draw(self, send: Send, watch: Watch) -> None:
        watch.feed()
        progress = watch.progress
        if not progress.active and not progress.record:
            await self._seal(progress)
        if progress.sequence <= watch.after and progress.active:
            return
        await learn(self._client, progress)
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
