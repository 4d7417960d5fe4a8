"""Orders with their items, and what the sweeper looks for."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.Column(
            "touched_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.UniqueConstraint("customer", "idempotency_key", name="orders_idempotency_key"),
    )
    op.create_index("orders_of_customer", "orders", ["customer", "created_at", "id"])
    op.create_index(
        "orders_unsettled",
        "orders",
        ["touched_at"],
        postgresql_where=sa.text("status IN ('pending', 'releasing', 'cancelling')"),
    )
    op.create_table(
        "order_items",
        sa.Column(
            "order_id", sa.Uuid, sa.ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("product_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.Numeric(12, 2), nullable=False),
        sa.CheckConstraint("quantity > 0", name="order_items_quantity"),
    )


def downgrade() -> None:
    op.drop_table("order_items")
    op.drop_table("orders")
