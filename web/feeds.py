"""What a page shows live beside runs: the questions that wait, and a sandbox's log. Operations, as for runs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from starlette.exceptions import HTTPException

from signet.client import AsyncSignet
from signet.kit.errors import NotFound
from signet.kit.times import now_micros
from signet.v1 import approvals_pb2, sandboxes_pb2
from web.patch import Operation
from web.views import Views

LINES = 1000
"""Lines of a log that a page keeps, as many as the sandbox keeps itself."""

WAITING = 100
"""Questions that a page shows; who has more answers those first."""


class Feed(Protocol):
    """Something that goes on until the reader leaves, or by itself."""

    def follow(self, client: AsyncSignet, views: Views) -> AsyncGenerator[list[Operation], None]:
        """Yield what a page must redraw: first what makes it whole, then what changes."""


def parse(topic: str) -> Feed | None:
    """Give the feed of a topic: `approvals` or `logs:SANDBOX`; nothing for another kind. Raises HTTPException 400."""
    kind, _, rest = topic.partition(":")
    if kind == "approvals":
        return Questions()
    if kind == "logs":
        if not rest or len(rest) > 200 or "/" in rest:  # noqa: PLR2004 - longer than any name
            raise HTTPException(400, "A log is named `logs:SANDBOX`.")
        return Log(rest)
    return None


async def pending(client: AsyncSignet) -> list[approvals_pb2.Approval]:
    """Give the questions that wait, newest first, at most WAITING."""
    page = await client.approvals.list(states=("pending",), page_size=WAITING).page()
    return list(page.approvals)


@dataclass(frozen=True)
class Questions:
    """The number in the navigation, and on the page of approvals each question."""

    async def follow(self, client: AsyncSignet, views: Views) -> AsyncGenerator[list[Operation], None]:
        """Follow them. What was answered while nobody looked is gone from the first answer."""
        waiting = {one.name: one for one in reversed(await pending(client))}
        shown = list(reversed(waiting.values()))
        yield [
            {"put": "approvals-list", "into": "", "html": views.live("questions", shown, now_micros())},
            _count(views, len(waiting)),
        ]
        async with aclosing(client.approvals.watch()) as watching:
            async for one in watching:
                operations = self._change(views, waiting, one)
                if operations:
                    yield [*operations, _count(views, len(waiting))]

    def _change(
        self, views: Views, waiting: dict[str, approvals_pb2.Approval], one: approvals_pb2.Approval
    ) -> list[Operation]:
        ident = one.name.partition("/")[2]
        if one.state != approvals_pb2.APPROVAL_STATE_PENDING:
            known = waiting.pop(one.name, None)
            gone: Operation = {"drop": f"question-{ident}"}
            row: Operation = {
                "put": f"answer-{ident}", "into": "answers", "first": True, "html": views.live("answer", one)
            }  # fmt: skip
            return [gone, row] if known else []
        if one.name in waiting or len(waiting) >= WAITING:
            return []
        waiting[one.name] = one
        text = f"{one.agent.partition('/')[2]} asks to {views.asked(one.ask)}"
        html = views.live("question", one, now_micros())
        return [{"put": f"question-{ident}", "into": "approvals-list", "html": html}, {"say": text}]


def _count(views: Views, waiting: int) -> Operation:
    return {"put": "waiting", "into": "", "html": views.live("waiting", waiting)}


@dataclass(frozen=True)
class Log:
    """The lines of a sandbox's log, as they come."""

    sandbox: str

    async def follow(self, client: AsyncSignet, views: Views) -> AsyncGenerator[list[Operation], None]:
        """Follow it until the sandbox is gone."""
        yield [{"put": "log", "into": "", "html": views.live("log", [])}]
        number = 0
        try:
            async with aclosing(client.sandboxes.logs(self.sandbox, follow=True)) as lines:
                async for line in lines:
                    yield self._line(views, number, line)
                    number += 1
        except NotFound:
            pass
        yield [{"put": "log-end", "into": "log", "html": views.live("log_end")}]

    def _line(self, views: Views, number: int, line: sandboxes_pb2.WatchSandboxLogsResponse) -> list[Operation]:
        html = views.live("log_line", number, line)
        added: list[Operation] = [{"put": f"log-{number}", "into": "log", "html": html}]
        return [*added, {"drop": f"log-{number - LINES}"}] if number >= LINES else added
