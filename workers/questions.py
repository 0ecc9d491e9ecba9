"""The questions of one run, or of visitors: each thing is asked for once, and a no holds."""

import asyncio
from dataclasses import dataclass

from signet.kit.errors import SignetError
from signet.policy.decision import Attempt
from signet.policy.model import Policy
from signet.v1 import approvals_pb2, events_pb2, policies_pb2
from signet.work.v1 import work_pb2
from workers.approvals import APPROVED, EXPIRED, Approvals
from workers.clock import now
from workers.text import clean
from workers.upload import Uploader

QUESTIONS = 100
"""Most things that one run may ask for; what comes later is not asked and stays denied."""
NO_SECONDS = 60.0
"""How long a no holds outside a run; inside, it holds until the run ends."""
SHOWN_HOSTS = 5
SHOWN_CHARACTERS = 200
WAITS = range(10, 86_401)
"""Seconds that a question may wait, by the protocol."""


@dataclass(frozen=True)
class Answer:
    """What came of a question; `why` is for the record and the model."""

    yes: bool
    why: str
    state: "approvals_pb2.ApprovalState" = approvals_pb2.APPROVAL_STATE_UNSPECIFIED


@dataclass(frozen=True)
class Question:
    """What is asked for, in a few words, and what a yes would open; `wait_seconds` is how long it waits."""

    ask: policies_pb2.Ask
    text: str
    blast_radius: str
    wait_seconds: int

    @property
    def key(self) -> tuple[str, ...]:
        """What is the same for two of the same; which program asked is not, for it can be forged."""
        network = self.ask.network
        return (network.host, str(network.port)) if self.ask.HasField("network") else (self.ask.command.command,)


@dataclass(frozen=True)
class Asking:
    """A question that is asked: `standing` has the approval's name once it stands, the task its answer."""

    standing: "asyncio.Future[str]"
    task: "asyncio.Task[Answer]"


def of_command(command: str, policy: Policy, agent: str) -> Question:
    """Ask whether a command line may be run."""
    return Question(
        ask=policies_pb2.Ask(command=policies_pb2.CommandAsk(command=command)),
        text=f"run {_short(command)!r}",
        blast_radius=f"Agent {agent} may run exactly this command line, as often as it likes while the yes holds: in "
        f"its {policy.tier} sandbox, with the workspace {policy.filesystem.workspace} and {_reach(policy)}.",
        wait_seconds=policy.approvals.wait_seconds,
    )


def of_connection(attempt: Attempt, policy: Policy, agent: str) -> Question:
    """Ask whether a place may be connected to."""
    place, binary = f"{attempt.host}:{attempt.port}", attempt.binaries[0] if attempt.binaries else ""
    return Question(
        ask=policies_pb2.Ask(
            network=policies_pb2.NetworkAsk(host=attempt.host, port=attempt.port, binary=clean(binary))
        ),
        text=f"connect to {place}" + (f" ({_short(clean(binary))})" if binary else ""),
        blast_radius=f"Any program in agent {agent}'s sandbox may exchange anything with {place} while the yes holds, "
        f"what is in its workspace included; requests are not looked into.",
        wait_seconds=policy.approvals.wait_seconds,
    )


class Questions:
    """Asks in the name of a run, whose lease and record it uses, or, without those, of an agent alone."""

    def __init__(
        self, approvals: Approvals, agent: str, lease: work_pb2.Lease | None = None, uploader: Uploader | None = None
    ) -> None:
        self._approvals = approvals
        self._agent = agent
        self._lease = lease
        self._uploader = uploader
        self._asking: dict[tuple[str, ...], Asking] = {}
        self._noes: dict[tuple[str, ...], tuple[Answer, float]] = {}
        self._asked = 0

    async def ask(self, question: Question) -> Answer:
        """Ask, wait for the answer, and tell both to the record."""
        asking = self._asking_for(question)
        return await asyncio.shield(asking.task) if isinstance(asking, Asking) else asking

    async def put(self, question: Question) -> str:
        """Ask, and give the approval's name as soon as the question stands; "" where nobody is asked.

        The answer is heard and told to the record all the same.
        """
        asking = self._asking_for(question)
        return await asyncio.shield(asking.standing) if isinstance(asking, Asking) else ""

    async def aclose(self) -> None:
        """Wait for no answer any more."""
        tasks = [asking.task for asking in self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _asking_for(self, question: Question) -> "Asking | Answer":
        """Find the same question where it waits, or begin it; an answer where it is not to be asked."""
        key = question.key
        if before := self._no(key):
            return before
        if asking := self._asking.get(key):
            return asking
        if max(self._asked, len(self._asking)) >= QUESTIONS:
            return Answer(yes=False, why=f"not asked: there were {QUESTIONS} questions already")
        self._asked += self._uploader is not None
        standing: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asking = self._asking[key] = Asking(standing, asyncio.create_task(self._put(question, standing)))
        asking.task.add_done_callback(lambda _: self._done(key, standing))
        return asking

    def _done(self, key: tuple[str, ...], standing: "asyncio.Future[str]") -> None:
        del self._asking[key]
        if not standing.done():
            standing.set_result("")

    def _no(self, key: tuple[str, ...]) -> Answer | None:
        answer, until = self._noes.get(key, (None, 0.0))
        if answer and until < now():
            del self._noes[key]
            return None
        return answer

    async def _put(self, question: Question, standing: "asyncio.Future[str]") -> Answer:
        wait_seconds = min(max(question.wait_seconds, WAITS.start), WAITS.stop - 1)
        request = work_pb2.AskApprovalRequest(
            lease=self._lease,
            agent=f"agents/{self._agent}",
            ask=question.ask,
            blast_radius=question.blast_radius,
            wait_seconds=wait_seconds,
        )

        def stands(approval: approvals_pb2.Approval) -> None:
            standing.set_result(approval.name)
            if self._uploader:
                event = events_pb2.ApprovalRequested(approval=approval.name, text=clean(question.text))
                self._uploader.add(approval_requested=event)

        try:
            approval = await self._approvals.ask(request, stands)
        except SignetError as error:
            return Answer(yes=False, why=f"nobody could be asked: {error.message}")
        answer = Answer(approval.state == APPROVED, _why(approval, wait_seconds), approval.state)
        self._answered(approval)
        if not answer.yes:
            self._noes[question.key] = (answer, float("inf") if self._uploader else now() + NO_SECONDS)
            while len(self._noes) > QUESTIONS:
                del self._noes[next(iter(self._noes))]
        return answer

    def _answered(self, approval: approvals_pb2.Approval) -> None:
        if self._uploader:
            word = approvals_pb2.ApprovalState.Name(approval.state).removeprefix("APPROVAL_STATE_")
            event = events_pb2.ApprovalAnswered(approval=approval.name, answer=word, caller=approval.caller)
            self._uploader.add(approval_answered=event)


def _reach(policy: Policy) -> str:
    hosts = [endpoint.host for block in policy.network.blocks for endpoint in block.endpoints]
    if not hosts:
        return "no network"
    more = f" and {len(hosts) - SHOWN_HOSTS} more places" if len(hosts) > SHOWN_HOSTS else ""
    return f"the network as far as {', '.join(hosts[:SHOWN_HOSTS])}{more}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _why(approval: approvals_pb2.Approval, wait_seconds: int) -> str:
    if approval.state == EXPIRED:
        return f"nobody answered {approval.name} in {wait_seconds} s"
    word = "approved" if approval.state == APPROVED else "denied"
    return f"{word} by {approval.caller or 'a person'} ({approval.name})"
