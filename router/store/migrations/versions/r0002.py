"""Secrets that policies lend."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(63), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("sealed_value", sa.LargeBinary, nullable=False),
        sa.Column("create_micros", sa.BigInteger, nullable=False),
        sa.Column("update_micros", sa.BigInteger, nullable=False),
        sa.Column("use_micros", sa.BigInteger),
    )
