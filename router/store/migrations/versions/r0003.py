"""Budgets, reservations, and more of each call."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, and widen the ledger."""
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(63), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("subject", "measure", "period")),
        sa.Column("limit", sa.BigInteger, nullable=False),
        sa.Column("warn_at", sa.BigInteger, nullable=False),
        sa.Column("soft", sa.Boolean, nullable=False),
        sa.Column("unknown_price", sa.Text, nullable=False),
        sa.Column("create_micros", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "budget_uses",
        sa.Column("budget", sa.String(63), primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("window", sa.String(10), primary_key=True),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("warned", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("time_micros", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in (
                "caller", "run", "agent", "session", "model", "provider", "upstream_model", "price_source"
            )
        ),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("input_tokens", "output_tokens", "seconds")),
        sa.Column("cost_microusd", sa.BigInteger),
        sqlite_with_rowid=False,
    )  # fmt: skip
    for name in ("upstream_model", "price_source"):
        op.add_column("calls", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in ("queue_micros", "first_byte_micros"):
        op.add_column("calls", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("calls", sa.Column("attempts", sa.Integer, nullable=False, server_default="1"))
