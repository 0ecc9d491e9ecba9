"""Providers, settings, and the ledger of calls."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "providers",
        sa.Column("id", sa.String(63), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("input_price", sa.BigInteger),
        sa.Column("output_price", sa.BigInteger),
        sa.Column("sealed_key", sa.LargeBinary),
        sa.Column("create_micros", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("time_micros", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("caller", "run", "agent", "session", "model", "provider")
        ),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
        ),
        sa.Column("cost_microusd", sa.BigInteger),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("duration_micros", sa.BigInteger, nullable=False),
    )
    op.create_index("calls_run", "calls", ["run"])
    op.create_index("calls_agent", "calls", ["agent", "time_micros"])
    op.create_index("calls_time", "calls", ["time_micros"])
