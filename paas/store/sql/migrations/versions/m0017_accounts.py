"""Accounts, collaborators, tokens for some apps only. Who owned the installation operates it."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_OWNER_ID = "00000000-0000-4000-8000-000000000001"
_OWNER_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""What the API has always said of it."""


def upgrade() -> None:
    accounts = op.create_table(
        "accounts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("operator", sa.Boolean, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("last_login_at", Moment),
    )
    owner = {"id": _OWNER_ID, "email": "owner@localhost", "name": "owner", "operator": True}
    times = {"created_at": _OWNER_SINCE, "updated_at": _OWNER_SINCE}
    op.bulk_insert(accounts, [owner | times])
    op.create_table(
        "collaborators",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "app_id", sa.String(36), sa.ForeignKey("apps.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("permissions", sa.JSON, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.UniqueConstraint("app_id", "email"),
    )
    op.create_index("ix_collaborators_email", "collaborators", ["email"])
    op.add_column("tokens", sa.Column("apps", sa.JSON))
