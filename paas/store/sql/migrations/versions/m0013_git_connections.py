"""Repositories elsewhere that apps are deployed from."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "git_connections",
        sa.Column(
            "app_id",
            sa.String(36),
            sa.ForeignKey(
                "apps.id", ondelete="CASCADE", name=op.f("fk_git_connections_app_id_apps")
            ),
            nullable=False,
        ),
        sa.Column("hook", sa.String(36), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("rung", sa.Integer, nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("app_id", name=op.f("pk_git_connections")),
        sa.UniqueConstraint("hook", name=op.f("uq_git_connections_hook")),
    )
