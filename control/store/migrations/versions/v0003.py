"""Who asked for a run."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Bring the tables to this version."""
    op.add_column("runs", sa.Column("caller", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Bring the tables back to the version before."""
    op.drop_column("runs", "caller")
