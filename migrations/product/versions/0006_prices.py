"""What products have cost, kept by the database: whichever release writes a price, the change is recorded.

An update that leaves the price alone, as every reservation does, calls nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A product of before has its old price recorded with its first change, if 0007 has not come to it yet. The row of the
# product is locked when this runs, so a product's numbers are in the order of its prices.
RECORD = """
CREATE FUNCTION record_product_price() RETURNS trigger LANGUAGE plpgsql AS $record$
BEGIN
  IF TG_OP = 'UPDATE' AND NOT EXISTS (SELECT FROM product_prices WHERE product_id = OLD.id) THEN
    INSERT INTO product_prices (product_id, price_cents) VALUES (OLD.id, OLD.price_cents);
  END IF;
  IF TG_OP = 'INSERT' OR NEW.price_cents IS DISTINCT FROM OLD.price_cents THEN
    INSERT INTO product_prices (product_id, price_cents) VALUES (NEW.id, NEW.price_cents);
  END IF;
  RETURN NULL;
END $record$
"""
# After: 1.1.0 writes the decimal price, and by then 0003's trigger has made cents of it. The last is for 0007, which
# writes each price as it is.
UNCHANGED = "OLD.price_cents IS NOT DISTINCT FROM NEW.price_cents"
TRIGGERS = {
    "product_price_begun": "AFTER INSERT ON products FOR EACH ROW",
    "product_price_changed": f"AFTER UPDATE ON products FOR EACH ROW WHEN (NOT ({UNCHANGED}))",
    "product_price_kept": f"AFTER UPDATE OF price_cents ON products FOR EACH ROW WHEN ({UNCHANGED})",
}


def upgrade() -> None:
    op.create_table(
        "product_prices",
        sa.Column("product_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("price_cents", sa.BigInteger, nullable=False),
        # Not now(), when the transaction began: one that began first may write last.
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.clock_timestamp(),
        ),
        sa.PrimaryKeyConstraint("product_id", "number", name="product_prices_pkey"),
    )
    op.execute(RECORD)
    for name, occasion in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {occasion} EXECUTE FUNCTION record_product_price()")


def downgrade() -> None:
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON products")
    op.execute("DROP FUNCTION record_product_price()")
    op.drop_table("product_prices")
