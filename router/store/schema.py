"""The router's tables."""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, String, Table, Text

HEAD = "0002"
"""The revision that this code reads and writes; the last one in `migrations/versions`."""

KNOWN = frozenset({"0001", "0002"})
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
    Column("owner", Text, nullable=False, comment="agents/…; empty for everybody's"),
    Column("sealed_value", LargeBinary, nullable=False, comment="see router/vault.py"),
    Column("create_micros", BigInteger, nullable=False),
    Column("update_micros", BigInteger, nullable=False),
    Column("use_micros", BigInteger, comment="when it was last lent; NULL never"),
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
    Column("outcome", String(16), nullable=False, comment="answered, broken, timeout or left"),
    Column("duration_micros", BigInteger, nullable=False),
    Index("calls_run", "run"),
    Index("calls_agent", "agent", "time_micros"),
    Index("calls_time", "time_micros"),
)
