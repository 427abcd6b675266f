"""How each process type is run, whose output a machine's log is, and refs that follow a release."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("releases", sa.Column("commands", sa.JSON, nullable=False, server_default="{}"))
    op.create_table(
        "outputs",
        sa.Column("machine_uuid", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("machine_uuid", name="pk_outputs"),
        _of_an_app("outputs"),
    )
    op.create_index("ix_outputs_app_id", "outputs", ["app_id"])
    op.create_table(
        "promises",
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("release_id", sa.String(36), nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("app_id", name="pk_promises"),
        _of_an_app("promises"),
    )


def _of_an_app(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["app_id"], ["apps.id"], name=f"fk_{table}_app_id", ondelete="CASCADE"
    )
