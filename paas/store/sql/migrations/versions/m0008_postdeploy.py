"""Whether app.json's command for after the first release was run."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apps", sa.Column("postdeploy", sa.String(8), nullable=False, server_default=""))
