"""Whether a newer push of an app takes the place of those that wait."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("supersede", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("apps", column)
