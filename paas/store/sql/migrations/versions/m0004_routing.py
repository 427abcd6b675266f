"""Routing settings of apps."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apps", sa.Column("routing", sa.JSON, nullable=False, server_default="{}"))
