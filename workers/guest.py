"""A run in a cell: what of its sandbox belongs into its record, and in whose name is asked there."""

from signet.v1 import events_pb2, runs_pb2
from workers.approvals import Approvals
from workers.decisions import Decisions
from workers.egress import Decided
from workers.lease import Held
from workers.policies import Permissions
from workers.questions import Questions
from workers.text import cut
from workers.upload import Uploader
from workers.wall import Wall

EVENTS = 2000
"""Most decisions on connections in a run's record; a notice says that there were more."""
HOST_BYTES, PATH_BYTES, REASON_BYTES = 256, 1024, 512


class Guest:
    """One run. `name` is `runs/{run}`, `session` is `sessions/{session}` or empty; `wall` is its time."""

    def __init__(self, run: runs_pb2.Run, held: Held, uploader: Uploader, approvals: Approvals, seconds: float) -> None:
        self.name = run.name
        self.wall = Wall(seconds)
        self.session = run.session
        self.uploader = uploader
        self.questions = Questions(approvals, run.agent.removeprefix("agents/"), held.proto(), uploader)
        self.decisions = Decisions(self._decided)
        self._told = 0

    def loaded(self, permissions: Permissions, closed: int) -> None:
        """Note that something else is in force from now on."""
        self.uploader.add(
            policy_loaded=events_pb2.PolicyLoaded(
                policy=permissions.name, version=permissions.version, digest=permissions.digest, closed=closed
            )
        )

    async def leave(self) -> None:
        """Ask nobody any more, and note what was only counted so far."""
        await self.questions.aclose()
        self.decisions.flush()

    def _decided(self, decided: Decided, count: int) -> None:
        self._told += 1
        if self._told == EVENTS + 1:
            message = f"More than {EVENTS} decisions on connections are not shown; they were made all the same."
            self.uploader.add(notice=events_pb2.Notice(code="egress_cut", message=message))
        if self._told > EVENTS:
            return
        self.uploader.add(
            egress_decided=events_pb2.EgressDecided(
                host=cut(decided.host, HOST_BYTES),
                port=decided.port,
                address=cut(decided.address, HOST_BYTES),
                binary=cut(decided.binary, PATH_BYTES),
                method=cut(decided.method, HOST_BYTES),
                path=cut(decided.path, PATH_BYTES),
                verdict=decided.verdict,
                rule=cut(decided.rule, HOST_BYTES),
                reason=cut(decided.reason, REASON_BYTES),
                count=count,
            )
        )
