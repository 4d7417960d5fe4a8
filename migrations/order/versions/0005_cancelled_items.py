"""What of an order was cancelled before the rest, and under which key. What is left is in the order's items, as ever."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cancelled_items",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("product_id", sa.BigInteger, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("taken_off", sa.Boolean, nullable=False),
        sa.Column(
            "cancelled_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint(
            "order_id", "idempotency_key", "product_id", name="cancelled_items_pkey"
        ),
        sa.CheckConstraint("quantity > 0", name="cancelled_items_quantity"),
    )


def downgrade() -> None:
    op.drop_table("cancelled_items")
