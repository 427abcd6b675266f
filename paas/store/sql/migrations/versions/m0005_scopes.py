"""Scopes of tokens and codes. Pushes leave no tokens any more: those that have expired go."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("tokens", "codes"):
        scope = sa.Column("scope", sa.JSON, nullable=False, server_default='["global"]')
        op.add_column(table, scope)
    op.execute("DELETE FROM tokens WHERE expires_at < CURRENT_TIMESTAMP")
