"""The tables. Times are integer microseconds since 1970 UTC, money is integer micro-USD, ids carry no collection."""

import sqlalchemy as sa

REVISIONS = ("0001", "0002", "0003")
"""Every version of the schema, oldest first; the last is this one. Each has a file in `migrations/versions`."""

metadata = sa.MetaData()


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


agents = sa.Table(
    "agents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("soul", sa.Text, nullable=False),
    sa.Column("toolsets", sa.Text, nullable=False),  # a JSON array
    sa.Column("runtime", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("max_rounds", sa.Integer, nullable=False),
    sa.Column("max_seconds", sa.Integer, nullable=False),
    sa.Column("max_output_tokens", sa.Integer, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("update_time", sa.BigInteger, nullable=False),
    sa.Column("delete_time", sa.BigInteger),
    sa.Column("version", sa.BigInteger, nullable=False),  # grows with every change; the etag is made of it
    sa.Column("policy", sa.Text, nullable=False, server_default="default"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("update_time", sa.BigInteger, nullable=False),
    sa.Column("delete_time", sa.BigInteger),
    _count("run_count"),
)
sa.Index("sessions_by_activity", sessions.c.update_time, sessions.c.id)

# What a stamp's digests were taken from, and what a worker is handed, lie here once however many runs have them.
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

stamps = sa.Table(
    "stamps",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("soul", sa.Text, sa.ForeignKey("sources.digest"), nullable=False),
    sa.Column("tools", sa.Text, sa.ForeignKey("sources.digest"), nullable=False),
    sa.Column("runtime", sa.Text, sa.ForeignKey("sources.digest"), nullable=False),
    sa.Column("model", sa.Text, sa.ForeignKey("sources.digest"), nullable=False),
    sa.Column("permissions", sa.Text, sa.ForeignKey("sources.digest"), nullable=False),
)

# A row of `runs` is rewritten with every append, so the long texts lie beside it.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("session", sa.Text, sa.ForeignKey("sessions.id")),
    sa.Column("state", sa.Integer, nullable=False),  # a number of signet.v1.RunState
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.Column("stamp", sa.Text, sa.ForeignKey("stamps.digest"), nullable=False),
    sa.Column("plan", sa.Text, sa.ForeignKey("sources.digest"), nullable=False),  # an Assignment without its lease
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("runtime", sa.Text, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("start_time", sa.BigInteger),
    sa.Column("end_time", sa.BigInteger),
    sa.Column("worker", sa.Text, nullable=False, server_default=""),
    _count("attempts"),
    _count("generation"),
    sa.Column("record_digest", sa.Text, nullable=False, server_default=""),
    _count("last_sequence"),
    _count("event_bytes"),
    _count("model_calls"),
    _count("tool_calls"),
    _count("input_tokens"),
    _count("output_tokens"),
    _count("cached_tokens"),
    _count("reasoning_tokens"),
    sa.Column("cost_microusd", sa.BigInteger),  # NULL as soon as one call's cost is unknown
    _count("usage_calls"),
    sa.Column("estimated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("cancel_time", sa.BigInteger),
    sa.Column("cancel_caller", sa.Text, nullable=False, server_default=""),
    sa.Column("cancel_noted", sa.Boolean, nullable=False, server_default=sa.false()),  # the event is written
    sa.Column("request_id", sa.Text, unique=True),
    sa.Column("request_hash", sa.Text),
    sa.Column("caller", sa.Text, nullable=False, server_default=""),  # who asked for it
)
sa.Index("runs_by_state", runs.c.state, runs.c.id)
sa.Index("runs_by_agent", runs.c.agent, runs.c.id)
sa.Index("runs_by_session", runs.c.session, runs.c.id)

texts = sa.Table(
    "texts",
    metadata,
    sa.Column("run", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("output", sa.Text, nullable=False, server_default=""),
    sa.Column("messages", sa.Text, nullable=False, server_default=""),  # a JSON array; what it adds to its session
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("run", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),  # a signet.v1.RunEvent
    sqlite_with_rowid=False,  # a run's events lie side by side, in order
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("incarnation", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("capacity", sa.Integer, nullable=False),
    sa.Column("runtimes", sa.Text, nullable=False),  # a JSON array
    sa.Column("isolation", sa.LargeBinary, nullable=False),  # a signet.v1.IsolationReport
    _count("sandboxes"),
    sa.Column("last_seen_time", sa.BigInteger, nullable=False),
    sa.Column("draining", sa.Boolean, nullable=False, server_default=sa.false()),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("run", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("worker", sa.Text, sa.ForeignKey("workers.id"), nullable=False),
    sa.Column("incarnation", sa.Text, nullable=False),
    sa.Column("expire_time", sa.BigInteger, nullable=False),
)
sa.Index("leases_by_worker", leases.c.worker)
sa.Index("leases_by_expiry", leases.c.expire_time)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("scope", sa.Integer, nullable=False),  # a number of signet.v1.TokenScope
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("expire_time", sa.BigInteger),
    sa.Column("revoke_time", sa.BigInteger),
)

codes = sa.Table(
    "codes",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("expire_time", sa.BigInteger, nullable=False),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),  # in force; 0 where none is
    sa.Column("newest_version", sa.Integer, nullable=False),
    sa.Column("built_in", sa.Boolean, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("update_time", sa.BigInteger, nullable=False),
)

policy_versions = sa.Table(
    "policy_versions",
    metadata,
    sa.Column("policy", sa.Text, sa.ForeignKey("policies.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Integer, nullable=False),  # a number of signet.v1.PolicyState
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),  # as it was applied
    sa.Column("canonical", sa.Text, nullable=False),  # empty where the document is bad
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("secrets", sa.Text, nullable=False),  # a JSON array of the names that it lends
    sa.Column("wall_seconds", sa.Integer, nullable=False),  # 0 for no bound
    sa.Column("needs_new_sandbox", sa.Boolean, nullable=False),
    sa.Column("caller", sa.Text, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("run", sa.Text, nullable=False),  # empty outside a run
    sa.Column("session", sa.Text, nullable=False),
    sa.Column("ask", sa.LargeBinary, nullable=False),  # a signet.v1.Ask
    sa.Column("subject", sa.Text, nullable=False),  # what is asked for, so that the same is found
    sa.Column("blast_radius", sa.Text, nullable=False),
    sa.Column("state", sa.Integer, nullable=False),  # a number of signet.v1.ApprovalState
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("expire_time", sa.BigInteger, nullable=False),
    sa.Column("end_time", sa.BigInteger),  # when it was answered, or its expiry was noticed
    sa.Column("caller", sa.Text, nullable=False, server_default=""),
    sa.Column("scope", sa.Integer, nullable=False, server_default="0"),  # of the answer, as hold_seconds
    sa.Column("hold_seconds", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("grant", sa.Text, nullable=False, server_default=""),
    sa.Column("worker", sa.Text, nullable=False),  # whoever asked; empty outside a run
    sa.Column("incarnation", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),  # grows with every change of any of them
)
sa.Index("approvals_by_agent", approvals.c.agent, approvals.c.id)
sa.Index("approvals_by_run", approvals.c.run)
sa.Index("approvals_by_state", approvals.c.state, approvals.c.expire_time)
sa.Index("approvals_by_end", approvals.c.end_time)
sa.Index("approvals_by_revision", approvals.c.revision, unique=True)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("scope", sa.Integer, nullable=False),  # a number of signet.v1.GrantScope
    sa.Column("subject", sa.Text, nullable=False),  # `runs/{run}` or `sessions/{session}`, or empty
    sa.Column("ask", sa.LargeBinary, nullable=False),  # a signet.v1.Ask
    sa.Column("covers", sa.Text, nullable=False),  # as approvals.subject
    sa.Column("caller", sa.Text, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("expire_time", sa.BigInteger),
    sa.Column("revoke_time", sa.BigInteger),
    sa.Column("revoke_caller", sa.Text, nullable=False, server_default=""),
    sa.Column("approval", sa.Text, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False, server_default=sa.false()),  # whoever it concerns was told
)
sa.Index("grants_by_agent", grants.c.agent, grants.c.ended)
sa.Index("grants_by_expiry", grants.c.ended, grants.c.expire_time)

# What a worker last said of its sandboxes; a worker that is lost has none.
sandboxes = sa.Table(
    "sandboxes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # the worker's name, a dot and its own id there
    sa.Column("worker", sa.Text, sa.ForeignKey("workers.id"), nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("state", sa.Integer, nullable=False),  # a number of signet.v1.SandboxState
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("policy_digest", sa.Text, nullable=False),
    sa.Column("policy_problem", sa.Text, nullable=False),
    sa.Column("problem_version", sa.Integer, nullable=False),
    sa.Column("open_time", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),  # a signet.v1.Sandbox
    sa.Column(
        "stop", sa.Integer, nullable=False, server_default="0"
    ),  # 1: somebody asked for its end; 2: also of its run
)
sa.Index("sandboxes_by_worker", sandboxes.c.worker)
sa.Index("sandboxes_by_agent", sandboxes.c.agent)
