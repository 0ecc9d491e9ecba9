"""HTTP APIs other than models."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "apis",
        sa.Column("id", sa.String(63), primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("base_url", "secret", "placement", "allow", "agents", "description")
        ),
        sa.Column("call_price", sa.BigInteger),
        sa.Column("calls_per_minute", sa.Integer, nullable=False),
        sa.Column("answer_bytes", sa.BigInteger, nullable=False),
        sa.Column("update_micros", sa.BigInteger, nullable=False),
    )
