"""What a product costs and has cost. The database writes it down by itself, whichever release changed the price.

A product that was there before the record has its price of then as the first one, since the moment of its recording.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from sqlalchemy import exists, select

from platform_kit import Database
from product.products import HIGHEST_ID, ProductId, ProductMissing
from product.tables import product_prices, products

# The place of a price among those of its product: the newer the higher.
PriceNumber = NewType("PriceNumber", int)


@dataclass(frozen=True, slots=True)
class Price:
    """A price in hundredths of the shop's currency, and since when it is the product's."""

    price_cents: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Some prices, and the number after which the next ones begin if there are more."""

    items: tuple[Price, ...]
    next_after: PriceNumber | None


def page(
    database: Database, product_id: ProductId, *, before: PriceNumber | None, limit: int
) -> Page:
    """Return up to `limit` of the product's prices, the newest first, or the newest before one of them.

    Raises `ProductMissing`.
    """
    if product_id > HIGHEST_ID:
        raise ProductMissing(product_id)
    chosen = (
        select(product_prices)
        .where(product_prices.c.product_id == product_id)
        .order_by(product_prices.c.number.desc())
        .limit(limit + 1)
    )
    if before is not None:
        chosen = chosen.where(product_prices.c.number < before)
    known = select(exists().where(products.c.id == product_id))
    with database.connect() as connection:
        if not connection.execute(known).scalar_one():
            raise ProductMissing(product_id)
        found = connection.execute(chosen).all()
    # The one too many is not shown: it says that there is a next page.
    shown = found[:limit]
    return Page(
        items=tuple(Price(row.price_cents, row.since) for row in shown),
        next_after=PriceNumber(shown[-1].number) if len(found) > limit else None,
    )
