"""The tables. Times are integer microseconds since 1970 UTC, money is integer micro-USD, ids carry no collection."""

import sqlalchemy as sa

REVISIONS = ("0001",)
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
