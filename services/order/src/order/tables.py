"""The tables of order's database, as the newest revision in migrations/order leaves them."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    literal_column,
    or_,
)

from platform_kit.events import outbox_table

metadata = MetaData()


class Target(StrEnum):
    """What becomes of an order."""

    PLACED = "placed"
    GONE = "gone"  # it failed: nothing of it is to be left
    CANCELLED = "cancelled"


# customer: the subject of the token, auth's and opaque here. target_status: where the order goes;
# settled: whether it is there, and nothing is left to do at product. touched_at: when somebody last
# began to work on the order; the sweeper leaves it alone for a while from then on.
orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column(
        "target_status",
        Enum(
            Target,
            name="orders_target_status",
            native_enum=False,  # a text with a check: a type's values can't be taken back
            create_constraint=True,
            length=16,
            values_callable=lambda target: [each.value for each in target],
        ),
        nullable=False,
    ),
    Column("settled", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("touched_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("cancelled_at", DateTime(timezone=True)),
    UniqueConstraint("customer", "idempotency_key", name="orders_idempotency_key"),
)

# What a customer sees, and what the sweeper looks for. Without parameters: only so will PostgreSQL
# always see that a query and its index speak of the same rows.
shown = or_(orders.c.settled, orders.c.target_status == literal_column("'cancelled'"))
unsettled = ~orders.c.settled

Index("orders_shown", orders.c.customer, orders.c.created_at, orders.c.id, postgresql_where=shown)

# Small however many orders there are: the sweeper reads it every other second.
Index("orders_to_settle", orders.c.touched_at, postgresql_where=unsettled)

order_items = Table(
    "order_items",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", Numeric(12, 2), nullable=False),
    CheckConstraint("quantity > 0", name="order_items_quantity"),
)

# What was cancelled of an order before the rest, by one request a key. taken_off: whether the items have less since then.
# They do not where that was all that was left: an order that is cancelled keeps what it had.
cancelled_items = Table(
    "cancelled_items",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("taken_off", Boolean, nullable=False),
    Column("cancelled_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("order_id", "idempotency_key", "product_id"),
    ForeignKeyConstraint(
        ["order_id"], ["orders.id"], name="cancelled_items_order", ondelete="CASCADE"
    ),
    CheckConstraint("quantity > 0", name="cancelled_items_quantity"),
)

outbox = outbox_table(metadata)
