"""v2: money is whole cents, and pages follow each other by a cursor. v1 had texts with two decimals, and an order's id."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, WithJsonSchema

from order.cursor import cursor_after, order_before
from order.orders import OrderId
from order.shapes import Moment, ShownStatus
from platform_kit.api import Body, Change, Translation


class Item(BaseModel):
    """So many of one product, each at the price it had when the order was placed."""

    product_id: int
    quantity: int
    unit_price: str


class Order(BaseModel):
    """An order. `cancelled_at` is null while it is not cancelled, and where that was not written down."""

    id: UUID
    status: ShownStatus
    items: list[Item]
    total: str
    created_at: Moment
    cancelled_at: Moment | None


class PageQuery(BaseModel):
    """Which of the customer's orders to list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Annotated[UUID | None, WithJsonSchema({"type": "string", "format": "uuid"})] = None


class OrderPage(BaseModel):
    """Some orders, the newest first, and the id after which the next ones begin; null on the last page."""

    items: list[Order]
    next_after: UUID | None


def by_cursor(query: Body) -> Body:
    """Return a query with a cursor instead of the order's id."""
    after = query.get("after")
    rest = {key: value for key, value in query.items() if key != "after"}
    return rest if after is None else {"cursor": cursor_after(OrderId(after)), **rest}


def in_decimals(body: Body) -> Body:
    """Return an order with its money as texts."""
    items = [
        {
            "product_id": item["product_id"],
            "quantity": item["quantity"],
            "unit_price": _text(item["unit_price_cents"]),
        }
        for item in body["items"]
    ]
    told = {**body, "items": items, "total": _text(body["total_cents"])}
    del told["total_cents"]
    return told


def with_an_id(body: Body) -> Body:
    """Return a page with the last order's id instead of the cursor, and all its money as texts."""
    cursor = body["next_cursor"]
    next_after = None if cursor is None else str(order_before(cursor))
    return {"items": [in_decimals(order) for order in body["items"]], "next_after": next_after}


def _text(cents: int) -> str:
    whole, rest = divmod(cents, 100)
    return f"{whole}.{rest:02}"


CHANGE = Change(
    "v2",
    says=(
        "Read unit_price_cents and total_cents, whole numbers, instead of unit_price and total: 450 for what was "
        "4.50. Ask for the next page with cursor, which is next_cursor of the page before, instead of after; "
        "status lists only the orders that have it."
    ),
    operations={
        "place_order": Translation(answer=Order, response=in_decimals),
        "list_orders": Translation(
            query=PageQuery, asked=by_cursor, answer=OrderPage, response=with_an_id
        ),
        "read_order": Translation(answer=Order, response=in_decimals),
        "cancel_order": Translation(answer=Order, response=in_decimals),
        "cancel_items": Translation(answer=Order, response=in_decimals),
    },
)
