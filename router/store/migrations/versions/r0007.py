"""Tokens written into caches, and what routers need that share a database."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables, and widen others."""
    for table, name in (("calls", "cache_write_tokens"), ("budget_uses", "held")):
        op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("reservations", sa.Column("router", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "routers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("start_micros", sa.BigInteger, nullable=False),
        sa.Column("beat_micros", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("topic", sa.String(63), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
