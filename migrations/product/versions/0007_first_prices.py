"""The first price of each product that was there before the record, and the prices of none but products."""

from platform_kit import migrations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # An older release that deletes a product knows nothing of its prices.
    migrations.add_foreign_key(
        "product_prices",
        "product_prices_product",
        ["product_id"],
        refers_to="products",
        on_delete="CASCADE",
    )
    # Nothing changes in the row: 0006's trigger records the price.
    migrations.backfill(
        "products",
        {"price_cents": "changing.price_cents"},
        where="NOT EXISTS (SELECT FROM product_prices WHERE product_id = changing.id)",
    )


def downgrade() -> None:
    migrations.drop_constraint("product_prices", "product_prices_product")
