"""Certificates of host names."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificates",
        sa.Column("hostname", sa.String(253), nullable=False),
        sa.Column("issuer", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("expires_at", Moment),
        sa.PrimaryKeyConstraint("hostname", name="pk_certificates"),
    )
