"""Pipelines, the apps in them, and promotions."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pipelines",
        _uuid("id"),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pipelines"),
        sa.UniqueConstraint("owner", "name", name="uq_pipelines_owner"),
    )
    op.create_table(
        "pipeline_couplings",
        _uuid("id"),
        _uuid("pipeline_id"),
        _uuid("app_id"),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pipeline_couplings"),
        _reference("pipeline_couplings", "pipeline_id", "pipelines"),
        _reference("pipeline_couplings", "app_id", "apps"),
        sa.UniqueConstraint("app_id", name="uq_pipeline_couplings_app_id"),
    )
    op.create_index("ix_pipeline_couplings_pipeline_id", "pipeline_couplings", ["pipeline_id"])
    op.create_table(
        "promotions",
        _uuid("id"),
        _uuid("pipeline_id"),
        _uuid("app_id"),
        _uuid("release_id"),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
        _reference("promotions", "pipeline_id", "pipelines"),
        _reference("promotions", "app_id", "apps"),
    )
    op.create_table(
        "promotion_targets",
        _uuid("id"),
        _uuid("promotion_id"),
        _uuid("app_id"),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("release_id", sa.String(36)),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_promotion_targets"),
        _reference("promotion_targets", "promotion_id", "promotions"),
        _reference("promotion_targets", "app_id", "apps"),
    )
    op.create_index("ix_promotion_targets_promotion_id", "promotion_targets", ["promotion_id"])
    op.create_index("ix_promotion_targets_status", "promotion_targets", ["status"])


def _uuid(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.String(36), nullable=False)


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}"
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete="CASCADE")
