"""Commands that are run at set times, and what became of them."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crons",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("schedule", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("time_limit_s", sa.Integer, nullable=False),
        sa.Column("overlap", sa.Boolean, nullable=False),
        sa.Column("missed", sa.String(8), nullable=False),
        sa.Column("declared", sa.Boolean, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("planned_at", Moment, nullable=False),
        sa.Column("next_at", Moment),
        sa.PrimaryKeyConstraint("id", name="pk_crons"),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name="fk_crons_app_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("app_id", "name", name="uq_crons_app_id"),
    )
    op.create_table(
        "cron_results",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("cron_id", sa.String(36), nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("started_at", Moment),
        sa.Column("ended_at", Moment),
        sa.Column("exit_status", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_cron_results"),
        sa.ForeignKeyConstraint(
            ["cron_id"], ["crons.id"], name="fk_cron_results_cron_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_cron_results_cron_id", "cron_results", ["cron_id"])
    op.add_column("runs", sa.Column("type", sa.String(40), nullable=False, server_default="run"))
