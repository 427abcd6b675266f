"""Where the logs of apps are sent."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drains",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("token", sa.String(40), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("seen_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drains"),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name="fk_drains_app_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("app_id", "url", name="uq_drains_app_id"),
    )
