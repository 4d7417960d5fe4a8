"""The price in whole cents. 1.1.0 goes on with the decimal number; a trigger keeps them equal."""

import sqlalchemy as sa

from platform_kit import migrations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # numeric(12, 2) has no more than two decimals, so both ways are exact: PostgreSQL rounds before a trigger sees it.
    migrations.change_type(
        "products",
        "price",
        "price_cents",
        sa.BigInteger,
        forward="({price} * 100)::bigint",
        backward="{price_cents} / 100.0",
    )


def downgrade() -> None:
    migrations.undo_dual_write("products", ["price"], ["price_cents"])
