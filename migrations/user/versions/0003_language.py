"""The language that a customer would rather read. None until they say it."""

import sqlalchemy as sa

from platform_kit import migrations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.add_column("profiles", sa.Column("language", sa.Text))


def downgrade() -> None:
    migrations.undo_add_column("profiles", "language")
