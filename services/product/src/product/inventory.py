"""The inventory: what fills the catalogue. For other services and for operators, not for customers.

Problem
    SkuTaken   another product has this sku
"""

from collections.abc import Mapping

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from platform_kit import Database, Problem
from product.products import HIGHEST_ID, Product, ProductId, ProductMissing, product_of
from product.tables import products


class SkuTaken(Problem):
    """Another product has this sku."""

    def __init__(self, sku: str) -> None:
        super().__init__(409, "sku_taken", f"There is a product with the sku {sku} already.")


def add(
    database: Database,
    *,
    sku: str,
    name: str,
    price_cents: int,
    stock: int,
    description: str = "",
    category: str | None = None,
) -> Product:
    """Put a new product into the catalogue and return it; raise `SkuTaken` if its sku has one."""
    statement = (
        insert(products)
        .values(
            sku=sku,
            name=name,
            price_cents=price_cents,
            stock=stock,
            description=description,
            category=category,
        )
        .on_conflict_do_nothing(constraint="products_sku")
        .returning(products)
    )
    with database.begin() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        raise SkuTaken(sku)
    return product_of(row)


def set_stock(database: Database, product_id: ProductId, *, stock: int) -> Product:
    """Say how many can be reserved from now on; raise `ProductMissing` if there is no product.

    What is reserved stays so: a reservation released later adds to the stock set here.
    """
    return _changed(database, product_id, {"stock": stock})


def set_price(database: Database, product_id: ProductId, *, price_cents: int) -> Product:
    """Say what a product costs from now on; raise `ProductMissing` if there is no product.

    The database writes down what it has cost. Orders keep the price that they were placed at.
    """
    return _changed(database, product_id, {"price_cents": price_cents})


def _changed(database: Database, product_id: ProductId, values: Mapping[str, int]) -> Product:
    if product_id > HIGHEST_ID:
        raise ProductMissing(product_id)
    statement = (
        update(products).where(products.c.id == product_id).values(values).returning(products)
    )
    with database.begin() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        raise ProductMissing(product_id)
    return product_of(row)
