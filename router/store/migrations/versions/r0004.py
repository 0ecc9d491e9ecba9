"""Routes: public model names, each with targets in order."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "routes",
        sa.Column("id", sa.String(63), primary_key=True),
        sa.Column("targets", sa.Text, nullable=False),
        sa.Column("preference", sa.String(16), nullable=False),
        sa.Column("hedge_millis", sa.Integer, nullable=False),
        sa.Column("repeat_timeouts", sa.Boolean, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("update_micros", sa.BigInteger, nullable=False),
    )
