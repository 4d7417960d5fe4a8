"""What was cancelled goes with its order: an older release that deletes one knows nothing of it."""

from platform_kit import migrations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.add_foreign_key(
        "cancelled_items",
        "cancelled_items_order",
        ["order_id"],
        refers_to="orders",
        on_delete="CASCADE",
    )


def downgrade() -> None:
    migrations.drop_constraint("cancelled_items", "cancelled_items_order")
