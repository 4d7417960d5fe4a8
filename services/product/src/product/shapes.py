"""What goes in and out of product, in the newest version of its interface. What it was before is in `changes`."""

from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from platform_kit.bodies import Whole
from product.products import HIGHEST_ID

# What warehouses and shops print on labels.
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]

# Unicode's, which is taken off around a text. Spelt out: what `\s` means differs from one dialect to the next. The
# documents say what may be sent: white space around does not count, so the lengths are in the patterns.
_WHITE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

# 200 holds the titles that shops show in a line; control characters would break the line.
_EDGE = rf"[^{_WHITE}\x00-\x1f\x7f]"
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^[:cntrl:]]+$"
    ),
    WithJsonSchema(
        {
            "type": "string",
            "description": "1 to 200 characters, white space around not counted; no control characters",
            "pattern": rf"^[{_WHITE}]*{_EDGE}(?:[^\x00-\x1f\x7f]{{0,198}}{_EDGE})?[{_WHITE}]*$",
        }
    ),
]

# A paragraph or two; line breaks are wanted here. PostgreSQL's text has no NUL.
_INK = rf"[^{_WHITE}\x00]"
Description = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2000, pattern=r"^[^\x00]*$"),
    WithJsonSchema(
        {
            "type": "string",
            "description": "up to 2000 characters, white space around not counted; no NUL",
            "pattern": rf"^[{_WHITE}]*(?:{_INK}(?:[^\x00]{{0,1998}}{_INK})?[{_WHITE}]*)?$",
        }
    ),
]

# One word of a URL: "green-tea".
Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]

# No more than the column of 1.1.0 takes: numeric(12, 2). Whole cents: a fraction is another number in another client.
PriceCents = Annotated[int, Field(strict=True, ge=0, le=999_999_999_999), Whole]

# A thousand million: what is reserved fits into the column on top of it, over and over.
Stock = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000), Whole]

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000), Whole]


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


class PriceChange(BaseModel):
    """What a product costs from now on."""

    price_cents: PriceCents


class Product(BaseModel):
    """A product, its price in hundredths of the shop's currency, and how many can still be reserved."""

    id: int
    sku: str
    name: str
    price_cents: int
    stock: int
    description: str
    category: str | None


def _plain_truth(value: object) -> object:
    if value not in {"true", "false"}:
        message = "say true or false"
        raise ValueError(message)
    return value == "true"


# As text, since it comes in a query: pydantic would take "yes" and "0" as well.
Truth = Annotated[bool, BeforeValidator(_plain_truth)]
Limit = Annotated[int, Field(ge=1, le=100)]
After = Annotated[int, Field(ge=0, le=HIGHEST_ID)]
Cents = Annotated[int, Field(ge=0, le=999_999_999_999)]
# Somewhere in a name, so no longer than one.
Words = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^[:cntrl:]]+$")]


class PageQuery(BaseModel):
    """Which products to list: those that are all of what is said."""

    limit: Annotated[Limit, Field(description="how many at most")] = 20
    after: Annotated[After, Field(description="only those with ids above this one")] = 0
    category: Annotated[Category | None, Field(description="of this category")] = None
    name: Annotated[
        Words | None, Field(description="with this in the name, in capitals or not")
    ] = None
    price_cents_from: Annotated[Cents | None, Field(description="at this price or above")] = None
    price_cents_to: Annotated[Cents | None, Field(description="at this price or below")] = None
    in_stock: Annotated[Truth, Field(description="only those that can be reserved")] = False


class ProductPage(BaseModel):
    """Some products, and where the next ones are: relative to this page, null on the last one."""

    items: list[Product]
    next: str | None


Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class PricesQuery(BaseModel):
    """Which prices of a product to list."""

    limit: Annotated[Limit, Field(description="how many at most")] = 20
    cursor: Annotated[
        str | None,
        Field(description="only those before the ones of another page, which has said this"),
        WithJsonSchema({"type": "string"}),
    ] = None


class Price(BaseModel):
    """A price in hundredths of the shop's currency, and since when it is the product's."""

    price_cents: int
    since: Moment


class PricePage(BaseModel):
    """Some prices, the newest first, and where the next ones are: relative to this page, null on the last one."""

    items: list[Price]
    next: str | None


class WantedItem(BaseModel):
    """So many of one product."""

    product_id: Annotated[int, Field(strict=True, ge=1, le=HIGHEST_ID), Whole]
    quantity: Quantity


def _each_once(items: list[WantedItem]) -> list[WantedItem]:
    if len({item.product_id for item in items}) < len(items):
        message = "name each product once"
        raise ValueError(message)
    return items


# 100 row locks at most are held by one request.
WantedItems = Annotated[
    list[WantedItem], Field(min_length=1, max_length=100), AfterValidator(_each_once)
]


class WantedReservation(BaseModel):
    """What to reserve, all of it or nothing."""

    items: WantedItems


class Reservation(BaseModel):
    """What is reserved."""

    id: UUID
    items: list[WantedItem]
