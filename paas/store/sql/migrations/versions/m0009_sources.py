"""Builds of archives: where one came from, what its maker calls it, and its checksum."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("source_url", "source_version", "source_checksum"):
        op.add_column("builds", sa.Column(name, sa.Text))
