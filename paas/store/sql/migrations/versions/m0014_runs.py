"""One-off runs."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("machine_uuid", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("release_version", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("attached", sa.Boolean, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("ends_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("machine_uuid", name="pk_runs"),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name="fk_runs_app_id", ondelete="CASCADE"),
        sa.UniqueConstraint("app_id", "number", name="uq_runs_app_id"),
    )
