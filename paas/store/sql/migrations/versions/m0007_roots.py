"""The folder of the repository that an app is in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apps", sa.Column("root", sa.Text, nullable=False, server_default=""))
