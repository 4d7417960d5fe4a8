"""What goes in and out of product, in the newest version of its interface. What it was before is in `changes`."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from product.products import HIGHEST_ID

# What warehouses and shops print on labels.
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]

# 200 holds the titles that shops show in a line; control characters would break the line.
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^[:cntrl:]]+$"
    ),
]

# A paragraph or two; line breaks are wanted here. PostgreSQL's text has no NUL.
Description = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=2000, pattern=r"^[^\x00]*$")
]

# One word of a URL: "green-tea".
Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]

# No more than the column of 1.1.0 takes: numeric(12, 2). Whole cents: a fraction is another number in another client.
PriceCents = Annotated[int, Field(strict=True, ge=0, le=999_999_999_999)]

# A thousand million: what is reserved fits into the column on top of it, over and over.
Stock = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class NewProduct(BaseModel):
    """A product to put into the catalogue."""

    sku: Sku
    name: Name
    price_cents: PriceCents
    stock: Stock
    description: Description = ""
    category: Category | None = None


class StockChange(BaseModel):
    """How many can be reserved from now on."""

    stock: Stock


class Product(BaseModel):
    """A product, its price in hundredths of the shop's currency, and how many can still be reserved."""

    id: int
    sku: str
    name: str
    price_cents: int
    stock: int
    description: str
    category: str | None


class PageQuery(BaseModel):
    """Which products to list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Annotated[int, Field(ge=0, le=HIGHEST_ID)] = 0
    category: Category | None = None


class ProductPage(BaseModel):
    """Some products, and where the next ones are: relative to this page, null on the last one."""

    items: list[Product]
    next: str | None


class WantedItem(BaseModel):
    """So many of one product."""

    product_id: Annotated[int, Field(strict=True, ge=1, le=HIGHEST_ID)]
    quantity: Quantity


def _each_once(items: list[WantedItem]) -> list[WantedItem]:
    if len({item.product_id for item in items}) < len(items):
        message = "name each product once"
        raise ValueError(message)
    return items


class WantedReservation(BaseModel):
    """What to reserve, all of it or nothing."""

    # 100 row locks at most are held by one request.
    items: Annotated[
        list[WantedItem], Field(min_length=1, max_length=100), AfterValidator(_each_once)
    ]


class Reservation(BaseModel):
    """What is reserved."""

    id: UUID
    items: list[WantedItem]
