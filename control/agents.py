"""What an agent may be: its defaults, its bounds, and how a change is laid over it."""

from collections.abc import Iterable

from control.plan import RUNTIMES
from signet.kit.errors import invalid
from signet.kit.names import SLUG
from signet.v1 import agents_pb2

MASK = ("description", "soul", "toolsets", "runtime", "model", "limits", "policy")
"""Fields that UpdateAgent can change."""

DEFAULTS = agents_pb2.Agent(
    soul="souls/general",
    runtime=RUNTIMES[0],
    model="models/default",
    policy="policies/default",
    limits=agents_pb2.RunLimits(max_rounds=24, max_seconds=900, max_output_tokens=1024),
)
"""What an unset field means."""

ASSISTANT = agents_pb2.Agent(name="agents/assistant", description="A general assistant, here from the first start.")
"""The agent that every fleet begins with."""

_DESCRIPTION = 200
_TOOLSETS = 32
_NAME = 300
_LIMITS = {"max_rounds": 200, "max_seconds": 86_400, "max_output_tokens": 131_072}


def fill(agent: agents_pb2.Agent) -> agents_pb2.Agent:
    """Fill in the defaults, and leave out what only control says."""
    filled = agents_pb2.Agent(
        name=agent.name,
        description=agent.description,
        soul=agent.soul or DEFAULTS.soul,
        toolsets=agent.toolsets,
        runtime=agent.runtime or DEFAULTS.runtime,
        model=agent.model or DEFAULTS.model,
        policy=agent.policy or DEFAULTS.policy,
    )
    for field in _LIMITS:
        setattr(filled.limits, field, getattr(agent.limits, field) or getattr(DEFAULTS.limits, field))
    return filled


def merge(agent: agents_pb2.Agent, change: agents_pb2.Agent, paths: Iterable[str]) -> agents_pb2.Agent:
    """Lay the named fields of a change over an agent."""
    merged = agents_pb2.Agent()
    merged.CopyFrom(agent)
    for path in paths:
        merged.ClearField(path)
        named = agents_pb2.Agent(**{path: getattr(change, path)})
        merged.MergeFrom(named)
    return merged


def check(agent: agents_pb2.Agent) -> None:
    """See that a filled agent is in its bounds. Raises InvalidArgument with all that is wrong."""
    problems: list[tuple[str, str]] = []
    if not SLUG.fullmatch(agent.name.removeprefix("agents/")) or not agent.name.startswith("agents/"):
        problems.append(
            ("agent.name", "must be `agents/{agent}`, {agent} 1-63 of a-z, 0-9 and -, beginning with a letter")
        )
    if len(agent.description) > _DESCRIPTION or "\n" in agent.description:
        problems.append(("agent.description", f"must be one line of at most {_DESCRIPTION} characters"))
    for field, collection in (("soul", "souls"), ("model", "models"), ("policy", "policies")):
        value: str = getattr(agent, field)
        if not value.startswith(f"{collection}/") or value == f"{collection}/" or len(value) > _NAME:
            problems.append((f"agent.{field}", f"must be `{collection}/…`, not {value[:80]!r}"))
    if len(agent.toolsets) > _TOOLSETS:
        problems.append(("agent.toolsets", f"must be at most {_TOOLSETS}"))
    if len(set(agent.toolsets)) != len(agent.toolsets):
        problems.append(("agent.toolsets", "must name each toolset once"))
    for field, most in _LIMITS.items():
        value_now: int = getattr(agent.limits, field)
        if not 1 <= value_now <= most:
            problems.append((f"agent.limits.{field}", f"must be 1 to {most}, not {value_now}"))
    if problems:
        raise invalid(*problems)
