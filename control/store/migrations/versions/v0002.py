"""Policies and their versions, approvals, grants, and the sandboxes that are open."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Bring the tables to this version."""
    op.add_column("agents", sa.Column("policy", sa.Text(), server_default="default", nullable=False))
    op.create_table(
        "policies",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("newest_version", sa.Integer(), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

    op.create_table(
        "policy_versions",
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("wall_seconds", sa.Integer(), nullable=False),
        sa.Column("needs_new_sandbox", sa.Boolean(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["policy"], ["policies.id"]),
        sa.PrimaryKeyConstraint("policy", "version"),
    )

    op.create_table(
        "approvals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("ask", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("blast_radius", sa.Text(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=True),
        sa.Column("caller", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Integer(), server_default="0", nullable=False),
        sa.Column("hold_seconds", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("grant", sa.Text(), server_default="", nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("approvals_by_agent", "approvals", ["agent", "id"], unique=False)
    op.create_index("approvals_by_end", "approvals", ["end_time"], unique=False)
    op.create_index("approvals_by_revision", "approvals", ["revision"], unique=True)
    op.create_index("approvals_by_run", "approvals", ["run"], unique=False)
    op.create_index("approvals_by_state", "approvals", ["state", "expire_time"], unique=False)

    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("ask", sa.LargeBinary(), nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=True),
        sa.Column("revoke_time", sa.BigInteger(), nullable=True),
        sa.Column("revoke_caller", sa.Text(), server_default="", nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.Column("ended", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("grants_by_agent", "grants", ["agent", "ended"], unique=False)
    op.create_index("grants_by_expiry", "grants", ["ended", "expire_time"], unique=False)

    op.create_table(
        "sandboxes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("policy_digest", sa.Text(), nullable=False),
        sa.Column("policy_problem", sa.Text(), nullable=False),
        sa.Column("problem_version", sa.Integer(), nullable=False),
        sa.Column("open_time", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("stop", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["worker"], ["workers.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sandboxes_by_agent", "sandboxes", ["agent"], unique=False)
    op.create_index("sandboxes_by_worker", "sandboxes", ["worker"], unique=False)


def downgrade() -> None:
    """Bring the tables back to the version before."""
    op.drop_table("sandboxes")
    op.drop_table("grants")
    op.drop_table("approvals")
    op.drop_table("policy_versions")
    op.drop_table("policies")
    op.drop_column("agents", "policy")
