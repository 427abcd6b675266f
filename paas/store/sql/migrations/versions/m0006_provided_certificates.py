"""Certificates that apps' owners bring, and which domain each serves."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provided_certificates",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("names", sa.JSON, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("starts_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("is_trusted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provided_certificates"),
        sa.UniqueConstraint("name", name="uq_provided_certificates_name"),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name="fk_provided_certificates_app_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_provided_certificates_app_id", "provided_certificates", ["app_id"])
    op.add_column("domains", sa.Column("endpoint_id", sa.String(36)))
