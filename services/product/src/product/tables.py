"""The tables of product's database, as the newest revision in migrations/product leaves them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)

from platform_kit.events import inbox_table

metadata = MetaData()

# The last line of defence: no code, not even wrong code, can leave a stock below zero.
products = Table(
    "products",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("sku", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("stock", BigInteger, nullable=False),
    Column("price_cents", BigInteger, nullable=False),
    Column("category", Text),
    UniqueConstraint("sku", name="products_sku"),
    CheckConstraint("stock >= 0", name="products_stock"),
    Index("products_category", "category", "id"),
)

# Written by triggers on products alone, also where an older release writes a price: see revision 0006. A product's numbers
# are in the order of its prices.
product_prices = Table(
    "product_prices",
    metadata,
    Column("product_id", BigInteger, nullable=False),
    Column("number", BigInteger, Identity(), nullable=False),
    Column("price_cents", BigInteger, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("product_id", "number"),
    ForeignKeyConstraint(
        ["product_id"], ["products.id"], name="product_prices_product", ondelete="CASCADE"
    ),
)

# A released one stays: it is the tombstone that refuses a reservation which arrives late.
reservations = Table(
    "reservations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("released_at", DateTime(timezone=True)),
)

reservation_items = Table(
    "reservation_items",
    metadata,
    Column("reservation_id", Uuid, ForeignKey("reservations.id"), primary_key=True),
    Column("product_id", BigInteger, ForeignKey("products.id"), primary_key=True),
    Column("quantity", Integer, nullable=False),
    CheckConstraint("quantity > 0", name="reservation_items_quantity"),
)

inbox = inbox_table(metadata)
