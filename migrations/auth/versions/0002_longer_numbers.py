"""Numbers of keys as long as a time in microseconds. 1.0.0 goes on with the short ones; a trigger keeps them equal."""

import sqlalchemy as sa

from platform_kit import migrations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.change_type(
        "signing_keys",
        "number",
        "serial",
        sa.BigInteger,
        forward="{number}",
        backward="{serial}",  # 1.0.0 numbers the keys from 1
    )


def downgrade() -> None:
    migrations.undo_dual_write("signing_keys", ["number"], ["serial"])
