"""The routes of order: parse, call the domain, render. All of them are about the token's subject."""

import re
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, Field

from order import cancellation, orders, placement
from order.orders import CustomerId, Order, OrderId, ProductId
from order.placement import Purchase, Wanted
from order.stock import Stock
from platform_kit import Business, Database, Problem, TokenVerifier, parse

_KEY = re.compile(r"[\x21-\x7e]{1,128}")

# PostgreSQL's bigint ends here, and with it product's ids.
_HIGHEST_ID = 2**63 - 1

purchases = Business("orders")


class KeyInvalid(Problem):
    """There is no usable idempotency key."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "key_invalid",
            "Send an Idempotency-Key header: 1 to 128 visible ASCII characters, new for each order.",
        )


class WantedItem(BaseModel):
    """An item in the body of POST /orders."""

    product_id: Annotated[int, Field(strict=True, ge=1, le=_HIGHEST_ID)]
    quantity: Annotated[int, Field(strict=True, ge=1, le=10_000)]


def _each_once(items: list[WantedItem]) -> list[WantedItem]:
    if len({item.product_id for item in items}) < len(items):
        message = "name each product once"
        raise ValueError(message)
    return items


class WantedOrder(BaseModel):
    """The body of POST /orders."""

    # A call to product each, for its price: 20 of them are done in a tenth of a second.
    items: Annotated[
        list[WantedItem], Field(min_length=1, max_length=20), AfterValidator(_each_once)
    ]


class PageQuery(BaseModel):
    """The query of GET /orders."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: UUID | None = None


def routes(database: Database, verifier: TokenVerifier, stock: Stock) -> Blueprint:
    """Return the blueprint of order's routes."""
    blueprint = Blueprint("order", __name__)

    @blueprint.post("/orders")
    def place() -> ResponseReturnValue:
        customer = CustomerId(verifier.subject())
        purchase = Purchase(customer, key=_key(), items=_wanted(parse(WantedOrder)))
        with purchases.attempt() as attempt:
            placed = placement.place(database, stock, purchase)
            if placed.is_replay:
                attempt.repeated()
                return _rendered(placed.order), 200, {"Idempotency-Replayed": "true"}
            attempt.success()
        return _rendered(placed.order), 201

    @blueprint.get("/orders")
    def list_orders() -> ResponseReturnValue:
        customer = CustomerId(verifier.subject())
        query = PageQuery.model_validate(request.args.to_dict())
        after = OrderId(query.after) if query.after else None
        page = orders.page(database, customer, after=after, limit=query.limit)
        next_after = str(page.next_after) if page.next_after else None
        return {"items": [_rendered(each) for each in page.items], "next_after": next_after}

    @blueprint.get("/orders/<uuid:order_id>")
    def read_order(order_id: UUID) -> ResponseReturnValue:
        customer = CustomerId(verifier.subject())
        return _rendered(orders.read(database, customer, order_id=OrderId(order_id)))

    @blueprint.post("/orders/<uuid:order_id>/cancel")
    def cancel(order_id: UUID) -> ResponseReturnValue:
        customer = CustomerId(verifier.subject())
        found = cancellation.cancel(database, customer, order_id=OrderId(order_id))
        return _rendered(found)

    return blueprint


def _key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise KeyInvalid
    return key


def _wanted(order: WantedOrder) -> frozenset[Wanted]:
    return frozenset(Wanted(ProductId(item.product_id), item.quantity) for item in order.items)


def _rendered(order: Order) -> dict[str, object]:
    items = [
        {
            "product_id": item.product_id,
            "quantity": item.quantity,
            "unit_price": _money(item.unit_price),
        }
        for item in order.items
    ]
    return {
        "id": str(order.id),
        "status": order.status,
        "items": items,
        "total": _money(order.total),
        "created_at": order.created_at.isoformat(),
        "cancelled_at": order.cancelled_at.isoformat() if order.cancelled_at else None,
    }


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
