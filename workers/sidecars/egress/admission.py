"""How something is let out: who asks, may it, does somebody let it, where does that lead, may it go there; connect."""

import asyncio
import socket
from typing import Any

from signet.policy.decide import Attempt, Decision
from workers.sidecars.egress import dial
from workers.sidecars.egress.channel import Channel, Lost
from workers.sidecars.egress.denial import Denied
from workers.sidecars.egress.identity import Address, Identity, Owners
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.passage import Passage
from workers.sidecars.egress.rules import Rules
from workers.sidecars.egress.tally import Tally
from workers.sidecars.egress.target import Target

NAME_SECONDS = 2.0
"""How long a denied connection waits for the name of the question that was put for it."""
QUESTION_SECONDS = 24 * 3600.0
AGAIN_SECONDS = 10.0
QUESTIONS = 64

Question = tuple[str, int, tuple[str, ...]]


class Admission:
    """The way in to the way out. `lookup` resolves names."""

    def __init__(self, rules: Rules, tally: Tally, channel: Channel, lookup: dial.Lookup = dial.system) -> None:
        self._rules, self._tally, self._channel, self._lookup = rules, tally, channel, lookup
        self._identity: Identity | None = None
        self._questions: dict[Question, asyncio.Task[str]] = {}

    def identify(self, root: int) -> None:
        """Know whose processes they are: those of this pid and below."""
        if self._identity is None:
            self._identity = Identity(root)

    async def owners(self, peer: Address, local: Address) -> Owners:
        """Tell who holds a connection."""
        return await self._identity.owners(peer, local) if self._identity else Owners()

    async def permit(self, target: Target, owners: Owners, *, method: str = "", path: str = "") -> Decision:
        """Decide a connection, and hold it while a person is asked. Raises Denied, which is told of already."""
        attempt = Attempt(target.host, target.port, owners.programs)
        decision = self._rules.connection(attempt)
        approval = ""
        if decision.ask and not decision.passes:
            decision, approval = await self._ask(attempt, decision)
        if decision.passes and method:
            decision = self._rules.request(decision, method, path)
        if not decision.passes:
            self._tally.note(decision, target, shown=owners.shown, method=method, path=path)
            raise denied(decision, target, owners.shown, approval)
        return decision

    async def connect(
        self, target: Target, owners: Owners, limits: Limits, task: "asyncio.Task[None]"
    ) -> tuple[Passage, socket.socket]:
        """Resolve, decide where it leads to, and connect there and nowhere else. Raises Denied.

        The passage is under the rules from now on: whoever is given it takes it out of `rules.passages` at its end.
        """
        addresses = await dial.resolve(target, self._lookup, limits)
        attempt = Attempt(target.host, target.port, owners.programs)
        opened = self._leads(attempt, target, addresses)  # by the rules of now, which may be others than before
        if not any(decision.passes for decision in opened.values()):
            refused = next(iter(opened.values()))
            self._tally.note(refused, target, address=next(iter(opened)), shown=owners.shown)
            raise denied(refused, target, owners.shown)
        passing = [address for address, decision in opened.items() if decision.passes]
        sock, address = await dial.connect(target, passing, limits)
        decision = self._leads(attempt, target, [address])[address]
        if not decision.passes:
            sock.close()
            self._tally.note(decision, target, address=address, shown=owners.shown)
            raise denied(decision, target, owners.shown)
        passage = Passage(target, attempt, owners.shown, decision, address, task)
        self._rules.passages.add(passage)
        return passage, sock

    def note(self, passage: Passage, decision: Decision, method: str = "", path: str = "") -> None:
        """Tell of a decision on a passage."""
        self._tally.note(
            decision, passage.target, address=passage.address, shown=passage.shown, method=method, path=path
        )

    def _leads(self, attempt: Attempt, target: Target, addresses: list[str]) -> dict[str, Decision]:
        decision = self._rules.connection(attempt)
        if not decision.passes:
            return dict.fromkeys(addresses, decision)
        return {address: self._rules.address(decision, target.host, address) for address in addresses}

    async def _ask(self, attempt: Attempt, decision: Decision) -> tuple[Decision, str]:
        """Put the question, once for the same; give what is decided after the time that a connection is held."""
        question = self._question(attempt, decision)
        order = self._rules.order
        hold = order.policy.approvals.hold_seconds if order else 0
        try:
            async with asyncio.timeout(hold or NAME_SECONDS):
                while hold and not decision.passes:
                    await self._rules.changed()
                    decision = self._rules.connection(attempt)
                if question and not hold:
                    await asyncio.shield(question)
        except TimeoutError:
            pass
        name = question.result() if question and question.done() and not question.cancelled() else ""
        return decision, name or ("" if question is None else "requested")

    def _question(self, attempt: Attempt, decision: Decision) -> "asyncio.Task[str] | None":
        key = (attempt.host, attempt.port, attempt.binaries)
        task = self._questions.get(key)
        if task is None and len(self._questions) < QUESTIONS:
            task = self._questions[key] = asyncio.create_task(self._put(attempt, decision))
            task.add_done_callback(lambda _: self._forget(key))
        return task

    def _forget(self, key: Question) -> None:
        """Put an answered question again, but not at once."""
        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._questions.pop, key, None)

    async def _put(self, attempt: Attempt, decision: Decision) -> str:
        fields: dict[str, Any] = {
            "host": attempt.host, "port": attempt.port, "binaries": list(attempt.binaries), "rule": decision.rule,
            "reason": decision.reason, "hint": decision.hint,
        }  # fmt: skip
        try:
            return str((await self._channel.ask("ask", fields, QUESTION_SECONDS)).fields["approval"])
        except Lost:
            return ""


def denied(decision: Decision, target: Target, shown: str, approval: str = "") -> Denied:
    """Say it to whoever asked."""
    message, hint = decision.reason, decision.hint
    fields: dict[str, Any] = {"host": target.host, "port": target.port, "binary": shown, "rule": decision.rule}
    if not approval:
        return Denied(403, "policy_denied", message, **fields, hint=hint)
    if approval != "requested":
        fields["approval"] = approval
    message = f"{message}; a person is asked to let it through: try again when it is answered"
    return Denied(403, "approval_requested", message, **fields, hint=hint)
