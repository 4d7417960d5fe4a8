"""The tables of order's database, as the newest revision in migrations/order leaves them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

metadata = MetaData()

# customer: the subject of the token, auth's and opaque here. touched_at: when somebody last began
# to work on the order; the sweeper leaves it alone for a while from then on.
orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("touched_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("customer", "idempotency_key", name="orders_idempotency_key"),
)

Index("orders_of_customer", orders.c.customer, orders.c.created_at, orders.c.id)

# What the sweeper looks for. Spelled out, without parameters: only so will PostgreSQL always see
# that the query and its index speak of the same rows.
unsettled = text("status IN ('pending', 'releasing', 'cancelling')")

# Small however many orders there are: the sweeper reads it every other second.
Index("orders_unsettled", orders.c.touched_at, postgresql_where=unsettled)

order_items = Table(
    "order_items",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", Numeric(12, 2), nullable=False),
    CheckConstraint("quantity > 0", name="order_items_quantity"),
)
