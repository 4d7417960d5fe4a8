"""What goes in and out of order, in the newest version of its interface. What it was before is in `changes`."""

from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

# PostgreSQL's bigint ends here, and with it product's ids.
HIGHEST_ID = 2**63 - 1

# Those that a customer can see: `orders.VISIBLE`. Spelt out, as the message of a refusal is made of it.
ShownStatus = Literal["placed", "cancelling", "cancelled"]
_STATUS = {"type": "string", "enum": list(get_args(ShownStatus))}

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class WantedItem(BaseModel):
    """So many of one product."""

    product_id: Annotated[int, Field(strict=True, ge=1, le=HIGHEST_ID)]
    quantity: Annotated[int, Field(strict=True, ge=1, le=10_000)]


def _each_once(items: list[WantedItem]) -> list[WantedItem]:
    if len({item.product_id for item in items}) < len(items):
        message = "name each product once"
        raise ValueError(message)
    return items


# A call to product each, for its price: 20 of them are done in a tenth of a second.
WantedItems = Annotated[
    list[WantedItem], Field(min_length=1, max_length=20), AfterValidator(_each_once)
]


class WantedOrder(BaseModel):
    """What to order, each product once."""

    items: WantedItems


class CancelledItems(BaseModel):
    """What to cancel of an order, each product once."""

    items: WantedItems


class OrderHeaders(BaseModel):
    """Under which key an order is placed, or a part of one cancelled: new for each, the same when it is sent again."""

    key: Annotated[str, Field(alias="Idempotency-Key", pattern=r"^[\x21-\x7e]{1,128}$")]


class Item(BaseModel):
    """So many of one product, each at the price it had when the order was placed, in hundredths of the currency."""

    product_id: int
    quantity: int
    unit_price_cents: int


class Order(BaseModel):
    """An order. `cancelled_at` is null while it is not cancelled, and where that was not written down."""

    id: UUID
    status: Annotated[str, WithJsonSchema(_STATUS)]
    items: list[Item]
    total_cents: int
    created_at: Moment
    cancelled_at: Moment | None


class PageQuery(BaseModel):
    """Which of the customer's orders to list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, WithJsonSchema({"type": "string"})] = None
    status: Annotated[ShownStatus | None, WithJsonSchema(_STATUS)] = None


class OrderPage(BaseModel):
    """Some orders, the newest first, and where the next ones are: relative to this page, null on the last one."""

    items: list[Order]
    next: str | None
