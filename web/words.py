"""How values read on a page: sizes, times, money, states. Unknown is never shown as zero."""

from datetime import UTC, datetime
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from signet.v1 import approvals_pb2, events_pb2, policies_pb2, runs_pb2, sandboxes_pb2, usage_pb2


class State(NamedTuple):
    """How a state is shown: a word, a sign that needs no colour, and a tone for the style sheet."""

    word: str
    sign: str
    tone: str


STATES: dict[str, State] = {
    "PENDING": State("Waiting", "○", "quiet"),
    "RUNNING": State("Running", "◔", "live"),
    "WAITING": State("Needs approval", "?", "warn"),
    "SUCCEEDED": State("Sealed", "✓", "good"),
    "FAILED": State("Failed", "✕", "bad"),
    "CANCELLED": State("Stopped", "■", "quiet"),
}

FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


def state_name(state: int) -> str:
    """Give the name of a run's state without its prefix."""
    return runs_pb2.RunState.Name(state).removeprefix("RUN_STATE_")


def state(name: str) -> State:
    """Give how a state is shown; one of a newer control is shown by its name."""
    return STATES.get(name, State(name.title(), "·", "quiet"))


_MILLISECOND = 1_000
_SECOND = 1_000 * _MILLISECOND
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE


def duration(micros: int) -> str:
    """Give a length of time: `640 µs`, `12 ms`, `3.4 s`, `2 min 05 s`, `1 h 04 min`."""
    if micros < _MILLISECOND:
        return f"{micros} µs"
    if micros < _SECOND:
        return f"{micros / _MILLISECOND:.0f} ms"
    if micros < _MINUTE:
        return f"{micros / _SECOND:.1f} s"
    if micros < _HOUR:
        return f"{micros // _MINUTE} min {micros % _MINUTE // _SECOND:02d} s"
    return f"{micros // _HOUR} h {micros % _HOUR // _MINUTE:02d} min"


def tokens(count: int) -> str:
    """Give a count of tokens, thousands apart."""
    return f"{count:,}".replace(",", "\u202f")


def cost(usage: usage_pb2.Usage) -> str:
    """Give a cost in dollars, or that it is not known."""
    if not usage.HasField("cost_microusd"):
        return "not priced"
    dollars = usage.cost_microusd / 1_000_000
    text = f"${dollars:.2f}" if dollars >= 1 or not dollars else f"${dollars:.6f}".rstrip("0")
    return f"about {text}" if usage.estimated else text


def moment(timestamp: Timestamp) -> datetime | None:
    """Give a time of the wire, or nothing where it is not set."""
    if not timestamp.seconds:
        return None
    return datetime.fromtimestamp(timestamp.seconds + timestamp.nanos / 1e9, UTC)


def iso(time: datetime) -> str:
    """Give a time for programs."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(time: datetime) -> str:
    """Give a time for people, before their browser puts it into their own zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def between(start: Timestamp, end: Timestamp) -> int | None:
    """Give the microseconds from one time to another, or nothing where one is not set."""
    if not start.seconds or not end.seconds:
        return None
    return (end.seconds - start.seconds) * 1_000_000 + (end.nanos - start.nanos) // 1_000


def short(name: str) -> str:
    """Give a resource's own name: `agents/assistant` becomes `assistant`."""
    return name.partition("/")[2] or name


def brief(digest: str) -> str:
    """Give the first twelve characters of a digest."""
    return digest[:12]


LAYERS = {
    int(events_pb2.ISOLATION_STATE_ENFORCED): ("holds", "✓", "good"),
    int(events_pb2.ISOLATION_STATE_PARTIAL): ("holds in part", "◑", "warn"),
    int(events_pb2.ISOLATION_STATE_ABSENT): ("absent", "✕", "bad"),
}


def layer(state: int) -> tuple[str, str, str]:
    """Give how an isolation layer is shown: a word, a sign and a tone."""
    return LAYERS.get(state, ("not known", "·", "quiet"))


def took(run: runs_pb2.Run) -> str:
    """Give how long a run took, or that it goes on."""
    length = between(run.create_time, run.end_time)
    return "goes on" if length is None else duration(length)


_LINE_CHARACTERS = 140


def oneline(text: str) -> str:
    """Give the beginning of a text as one line."""
    line = " ".join(text[: 4 * _LINE_CHARACTERS].split())
    return line if len(line) <= _LINE_CHARACTERS else line[: _LINE_CHARACTERS - 1] + "…"


def asked(ask: policies_pb2.Ask) -> str:
    """Give what an agent asks for: `connect to api.example.org:443`, `run git push`."""
    if ask.HasField("command"):
        return f"run {ask.command.command}"
    host = f"[{ask.network.host}]" if ":" in ask.network.host else ask.network.host
    return f"connect to {host}:{ask.network.port}"


def ago(timestamp: Timestamp, now: int) -> str:
    """Give how long ago it was at `now`, Unix microseconds."""
    return f"{duration(max(now - timestamp.seconds * _SECOND, 0))} ago"


_KIB = 1024


def size(count: int) -> str:
    """Give a size: `512 B`, `4.0 KiB`, `1.2 MiB`, `3.4 GiB`."""
    for limit, unit in ((_KIB, "B"), (_KIB**2, "KiB"), (_KIB**3, "MiB")):
        if count < limit:
            return f"{count} B" if unit == "B" else f"{count * _KIB / limit:.1f} {unit}"
    return f"{count / _KIB**3:.1f} GiB"


POLICY_STATES = {
    int(policies_pb2.POLICY_STATE_PENDING): ("on its way", "◔", "live"),
    int(policies_pb2.POLICY_STATE_LOADED): ("in force", "✓", "good"),
    int(policies_pb2.POLICY_STATE_FAILED): ("failed", "✕", "bad"),
    int(policies_pb2.POLICY_STATE_SUPERSEDED): ("replaced", "·", "quiet"),
}
"""How a version of a policy is shown."""

APPROVAL_STATES = {
    int(approvals_pb2.APPROVAL_STATE_PENDING): ("waits", "?", "warn"),
    int(approvals_pb2.APPROVAL_STATE_APPROVED): ("approved", "✓", "good"),
    int(approvals_pb2.APPROVAL_STATE_DENIED): ("denied", "✕", "bad"),
    int(approvals_pb2.APPROVAL_STATE_EXPIRED): ("nobody answered", "·", "quiet"),
}
"""How an approval is shown."""

SANDBOX_STATES = {
    int(sandboxes_pb2.SANDBOX_STATE_BUSY): ("busy", "◔", "live"),
    int(sandboxes_pb2.SANDBOX_STATE_IDLE): ("idle", "○", "quiet"),
    int(sandboxes_pb2.SANDBOX_STATE_STOPPING): ("closing", "■", "warn"),
}
"""How a sandbox is shown."""

SCOPES = {
    int(policies_pb2.GRANT_SCOPE_RUN): "for one run",
    int(policies_pb2.GRANT_SCOPE_SESSION): "for a session",
    int(policies_pb2.GRANT_SCOPE_AGENT): "in every run",
}
"""How far a grant reaches."""

UNKNOWN = ("not known", "·", "quiet")
