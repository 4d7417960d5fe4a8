"""When an order was cancelled. None while it is not, and for those that an older release cancelled."""

import sqlalchemy as sa

from platform_kit import migrations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.add_column("orders", sa.Column("cancelled_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    migrations.undo_add_column("orders", "cancelled_at")
