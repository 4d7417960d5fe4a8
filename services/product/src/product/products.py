"""Products as the catalogue shows them: one, or a page of them in the order of their ids.

Problem
    ProductMissing   no product has this id
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NewType

from sqlalchemy import ColumnElement, Row, select

from platform_kit import Database, Problem
from product.tables import products

ProductId = NewType("ProductId", int)

# PostgreSQL's bigint ends here: a higher number is nobody's id, and comparing it is an error there.
HIGHEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Product:
    """A product, its price in hundredths of the shop's currency, and how many can still be reserved.

    The category is None where it is in none.
    """

    id: ProductId
    sku: str
    name: str
    price_cents: int
    stock: int
    description: str
    category: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products to show: those that are all of this. None asks for nothing."""

    category: str | None = None
    name: str | None = None
    cents_from: int | None = None
    cents_to: int | None = None
    in_stock: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some products, and the id after which the next ones begin if there are more."""

    items: tuple[Product, ...]
    next_after: ProductId | None


class ProductMissing(Problem):
    """No product has this id."""

    def __init__(self, product_id: ProductId) -> None:
        super().__init__(
            404,
            "product_missing",
            f"There is no product with the id {product_id}.",
            product_id=product_id,
        )


def read(database: Database, product_id: ProductId) -> Product:
    """Return the product; raise `ProductMissing` if there is none."""
    if product_id > HIGHEST_ID:
        raise ProductMissing(product_id)
    with database.connect() as connection:
        row = connection.execute(select(products).where(products.c.id == product_id)).one_or_none()
    if row is None:
        raise ProductMissing(product_id)
    return product_of(row)


def page(database: Database, *, after: ProductId, limit: int, wanted: Wanted) -> Page:
    """Return up to `limit` of the wanted products with ids above `after`, lowest first."""
    statement = (
        select(products)
        .where(products.c.id > after, *_conditions(wanted))
        .order_by(products.c.id)
        .limit(limit + 1)
    )
    with database.connect() as connection:
        found = [product_of(row) for row in connection.execute(statement)]
    # The one too many is not shown: it says that there is a next page.
    items = tuple(found[:limit])
    return Page(items=items, next_after=items[-1].id if len(found) > limit else None)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.category is not None:
        yield products.c.category == wanted.category
    if wanted.name is not None:
        # No index: what has to be looked at is a catalogue, of some ten thousand names.
        yield products.c.name.icontains(wanted.name, autoescape=True)
    if wanted.cents_from is not None:
        yield products.c.price_cents >= wanted.cents_from
    if wanted.cents_to is not None:
        yield products.c.price_cents <= wanted.cents_to
    if wanted.in_stock:
        yield products.c.stock > 0


def product_of(row: Row[int, str, str, str, int, int, str | None]) -> Product:
    """Return the product that a row of the table holds, its columns in their order."""
    product_id, sku, name, description, stock, price_cents, category = row
    return Product(ProductId(product_id), sku, name, price_cents, stock, description, category)
