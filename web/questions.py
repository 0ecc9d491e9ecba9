"""What an agent asks in a run: what a yes would open is known to control only, and asked for when it is drawn."""

from contextlib import suppress

from signet.client import AsyncSignet, SignetError
from web.parts import Question
from web.progress import Progress

_MOST = 10  # asked about in one run at once; who reads on sees the others on the page of approvals


async def learn(client: AsyncSignet, progress: Progress) -> None:
    """Fill in what the open questions of a run would open; without control the page does without it."""
    open_ones = [part for part in progress.parts if isinstance(part, Question) and part.open and not part.radius]
    for question in open_ones[-_MOST:]:
        with suppress(SignetError):
            question.radius = (await client.approvals.get(question.approval)).blast_radius
