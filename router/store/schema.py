"""The router's tables."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

HEAD = "0006"
"""The revision that this code reads and writes; the last one in `migrations/versions`."""

KNOWN = frozenset({"0001", "0002", "0003", "0007", "0005", "0004", "0006"})
"""Revisions that this code can begin from."""

metadata = MetaData()

providers = Table(
    "providers",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("base_url", Text, nullable=False),
    Column("models", Text, nullable=False, comment="JSON list"),
    Column("input_price", BigInteger, comment="micro-USD for a million tokens; NULL unknown"),
    Column("output_price", BigInteger, comment="as input_price"),
    Column("sealed_key", LargeBinary, comment="see router/vault.py; NULL without a key"),
    Column("create_micros", BigInteger, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("value", Text, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("owner", String(80), primary_key=True, comment="agents/…, tokens/…; empty for everybody's"),
    Column("sealed_value", LargeBinary, nullable=False, comment="see router/vault.py"),
    Column("create_micros", BigInteger, nullable=False),
    Column("update_micros", BigInteger, nullable=False),
    Column("use_micros", BigInteger, comment="when it was last lent; NULL never"),
)

apis = Table(
    "apis",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("base_url", Text, nullable=False),
    Column("secret", Text, nullable=False, comment="a secret's id; empty for none"),
    Column("placement", Text, nullable=False, comment="see router/apis/place.py"),
    Column("allow", Text, nullable=False, comment="JSON list of `METHOD /glob`; empty for every GET"),
    Column("agents", Text, nullable=False, comment="JSON list of agents/…"),
    Column("call_price", BigInteger, comment="micro-USD; NULL unknown"),
    Column("calls_per_minute", Integer, nullable=False),
    Column("answer_bytes", BigInteger, nullable=False),
    Column("description", Text, nullable=False),
    Column("update_micros", BigInteger, nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("id", String(36), primary_key=True, comment="UUIDv7"),
    Column("time_micros", BigInteger, nullable=False, comment="when it was settled"),
    Column("caller", Text, nullable=False, comment="tokens/… or runs/…"),
    Column("run", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("model", Text, nullable=False, comment="public name, models/…"),
    Column("provider", Text, nullable=False, comment="providers/…"),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_microusd", BigInteger, comment="NULL unknown"),
    Column("estimated", Boolean, nullable=False),
    Column("outcome", String(16), nullable=False, comment="answered, broken, timeout, left, refused or lost"),
    Column("duration_micros", BigInteger, nullable=False, comment="from its arrival to its end"),
    Column("upstream_model", Text, nullable=False, server_default=""),
    Column("price_source", Text, nullable=False, server_default="", comment="empty where the price is unknown"),
    Column("queue_micros", BigInteger, nullable=False, server_default="0", comment="waited for its turn"),
    Column("first_byte_micros", BigInteger, nullable=False, server_default="0", comment="from its turn on"),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("cache_write_tokens", BigInteger, nullable=False, server_default="0"),
    Index("calls_run", "run"),
    Index("calls_agent", "agent", "time_micros"),
    Index("calls_time", "time_micros"),
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("subject", Text, nullable=False, comment="agents/…, agents/-, …; empty for everything"),
    Column("measure", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("limit", BigInteger, nullable=False),
    Column("warn_at", BigInteger, nullable=False, comment="0 never"),
    Column("soft", Boolean, nullable=False),
    Column("unknown_price", Text, nullable=False),
    Column("create_micros", BigInteger, nullable=False),
)

budget_uses = Table(
    "budget_uses",
    metadata,
    Column("budget", String(63), primary_key=True),
    Column("subject", Text, primary_key=True, comment="whose use it is; empty for everything"),
    Column("window", String(10), primary_key=True, comment="2026-11-21, 2026-11, or empty for the whole"),
    Column("used", BigInteger, nullable=False),
    Column("warned", Boolean, nullable=False),
    Column(
        "held", BigInteger, nullable=False, server_default="0", comment="by calls that run; on SQLite memory has it"
    ),
    sqlite_with_rowid=False,
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(36), primary_key=True, comment="the call's"),
    Column("time_micros", BigInteger, nullable=False, comment="its window is that of this time"),
    *(
        Column(name, Text, nullable=False)
        for name in ("caller", "run", "agent", "session", "model", "provider", "upstream_model", "price_source")
    ),
    *(
        Column(name, BigInteger, nullable=False, comment="at most")
        for name in ("input_tokens", "output_tokens", "seconds")
    ),
    Column("cost_microusd", BigInteger, comment="at most; NULL unknown"),
    Column("router", Text, nullable=False, server_default="", comment="routers.id of whoever makes it"),
    sqlite_with_rowid=False,
)
"""Calls that run. What stands here of a router that does not run any more is of calls that were lost."""

routers = Table(
    "routers",
    metadata,
    Column("id", String(36), primary_key=True, comment="UUIDv7, new at each start"),
    Column("name", Text, nullable=False, comment="for people: host and process"),
    Column("start_micros", BigInteger, nullable=False, comment="by the database's clock"),
    Column("beat_micros", BigInteger, nullable=False, comment="the last sign of life, by the same"),
)
"""Routers that share the database. One whose row is gone was taken for dead: its reservations are settled."""

routes = Table(
    "routes",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("targets", Text, nullable=False, comment="JSON, see router/store/routes.py"),
    Column("preference", String(16), nullable=False),
    Column("hedge_millis", Integer, nullable=False, comment="0 never"),
    Column("repeat_timeouts", Boolean, nullable=False),
    Column("description", Text, nullable=False),
    Column("update_micros", BigInteger, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("topic", String(63), primary_key=True, comment="the table that changed"),
    Column("revision", BigInteger, nullable=False, comment="how often"),
)
"""What routers that share the database look at to learn of one another's changes; empty on SQLite."""

OWN = frozenset({"calls", "budget_uses", "reservations", "routers", "changes"})
"""Tables of what calls do. All others hold what was set up: routers that share them learn of each change there."""
