"""Secrets of one name under several owners."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Make the table again: SQLite changes no primary key."""
    op.create_table(
        "secrets_by_owner",
        sa.Column("id", sa.String(63), primary_key=True),
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("sealed_value", sa.LargeBinary, nullable=False),
        sa.Column("create_micros", sa.BigInteger, nullable=False),
        sa.Column("update_micros", sa.BigInteger, nullable=False),
        sa.Column("use_micros", sa.BigInteger),
    )
    op.execute(
        "INSERT INTO secrets_by_owner (id, owner, sealed_value, create_micros, update_micros, use_micros) "
        "SELECT id, owner, sealed_value, create_micros, update_micros, use_micros FROM secrets"
    )
    op.drop_table("secrets")
    op.rename_table("secrets_by_owner", "secrets")
