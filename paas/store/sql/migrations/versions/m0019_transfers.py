"""Transfers of apps, and the audit trail. A line of the trail outlives its app and its account."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "app_id", sa.String(36), sa.ForeignKey("apps.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("owner", sa.String(254), nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
    )
    op.create_index("ix_transfers_app_id", "transfers", ["app_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", Moment, nullable=False),
        sa.Column("user", sa.String(254), nullable=False),
        sa.Column("token_id", sa.String(36)),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("app_id", sa.String(36)),
        sa.Column("app", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_app_id", "audit", ["app_id"])
