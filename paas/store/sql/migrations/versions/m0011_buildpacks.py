"""The buildpacks that an app names, and whether it does so in its app.json only."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    names = sa.Column("buildpacks", sa.JSON, nullable=False, server_default="[]")
    declared = sa.Column(
        "buildpacks_declared", sa.Boolean, nullable=False, server_default=sa.false()
    )
    op.add_column("apps", names)
    op.add_column("apps", declared)
