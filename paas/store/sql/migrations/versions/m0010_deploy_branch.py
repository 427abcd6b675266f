"""The branch that is deployed, where it is not main or master."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    branch = sa.Column("deploy_branch", sa.Text, nullable=False, server_default="")
    op.add_column("apps", branch)
