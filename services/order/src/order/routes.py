"""The operations of order: parse, call the domain, render. All of them are about the token's subject.

They are written for the newest version of the interface; `changes` leads from and to the others.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from flask import request

from order import cancellation, orders, partial, placement, shapes
from order.changes import CHANGES, VERSIONS
from order.changes.v3 import next_link
from order.cursor import cursor_after, order_before
from order.orders import CustomerId, Order, OrderId, ProductId, Status, Wanted
from order.partial import Part
from order.placement import Purchase
from order.shapes import CancelledItems, OrderHeaders, PageQuery, WantedItem, WantedOrder
from order.stock import Stock
from platform_kit import Business, Database, Problem, TokenVerifier, parse, parse_query
from platform_kit.api import Api, Clock, utc_now

_KEY = re.compile(r"[\x21-\x7e]{1,128}")

MISSING = {404: ["order_missing"]}
REPLAYED = {"Idempotency-Replayed": "true"}

purchases = Business("orders")


class KeyInvalid(Problem):
    """There is no usable idempotency key."""

    def __init__(self, new_for: str) -> None:
        super().__init__(
            400,
            "key_invalid",
            "Send an Idempotency-Key header: 1 to 128 visible ASCII characters,"
            f" new for each {new_for}.",
        )


def routes(
    database: Database, verifier: TokenVerifier, stock: Stock, *, clock: Clock = utc_now
) -> Api:
    """Return order's interface."""
    api = Api(VERSIONS, CHANGES, clock=clock)

    @api.operation(
        "POST /orders",
        headers=OrderHeaders,
        body=WantedOrder,
        answer=shapes.Order,
        statuses=(201, 200),
        refusals={
            400: ["key_invalid"],
            404: ["product_missing"],
            409: ["out_of_stock", "order_in_progress"],
            422: ["key_reused"],
            503: ["product_unavailable"],
        },
        secured=True,
    )
    def place_order() -> tuple[shapes.Order, int, Mapping[str, str]]:
        """Place an order; 200 with Idempotency-Replayed if the key's order was placed before."""
        customer = CustomerId(verifier.subject())
        purchase = Purchase(
            customer, key=_key(new_for="order"), items=_wanted(parse(WantedOrder).items)
        )
        with purchases.attempt() as attempt:
            placed = placement.place(database, stock, purchase)
            if placed.is_replay:
                attempt.repeated()
                return _rendered(placed.order), 200, REPLAYED
            attempt.success()
        return _rendered(placed.order), 201, {}

    @api.operation(
        "GET /orders",
        query=PageQuery,
        answer=shapes.OrderPage,
        refusals={400: ["cursor_invalid"]},
        secured=True,
    )
    def list_orders() -> shapes.OrderPage:
        """List the orders of the customer whose token it is, the newest first, a page at a time."""
        customer = CustomerId(verifier.subject())
        query = parse_query(PageQuery)
        page = orders.page(
            database,
            customer,
            after=None if query.cursor is None else order_before(query.cursor),
            limit=query.limit,
            status=None if query.status is None else Status(query.status),
        )
        return shapes.OrderPage(
            items=[_rendered(each) for each in page.items], next=_next(page, query)
        )

    @api.operation(
        "GET /orders/<uuid:order_id>", answer=shapes.Order, refusals=MISSING, secured=True
    )
    def read_order(order_id: UUID) -> shapes.Order:
        """Read an order of the customer whose token it is."""
        customer = CustomerId(verifier.subject())
        return _rendered(orders.read(database, customer, order_id=OrderId(order_id)))

    @api.operation(
        "POST /orders/<uuid:order_id>/cancel",
        answer=shapes.Order,
        refusals=MISSING,
        secured=True,
    )
    def cancel_order(order_id: UUID) -> shapes.Order:
        """Cancel an order and give its stock back; one that is cancelled already stays as it is."""
        customer = CustomerId(verifier.subject())
        found = cancellation.cancel(database, customer, order_id=OrderId(order_id))
        return _rendered(found)

    @api.operation(
        "POST /orders/<uuid:order_id>/items/cancel",
        headers=OrderHeaders,
        body=CancelledItems,
        answer=shapes.Order,
        refusals={
            400: ["key_invalid"],
            **MISSING,
            409: ["not_in_order", "order_cancelled"],
            422: ["key_reused"],
        },
        secured=True,
    )
    def cancel_items(order_id: UUID) -> tuple[shapes.Order, int, Mapping[str, str]]:
        """Cancel some of an order's items and give their stock back; of all that is left it cancels the order."""
        customer = CustomerId(verifier.subject())
        part = Part(
            OrderId(order_id),
            key=_key(new_for="cancellation"),
            items=_wanted(parse(CancelledItems).items),
        )
        cancelled = partial.cancel(database, customer, part)
        headers = REPLAYED if cancelled.is_replay else {}
        return _rendered(cancelled.order), 200, headers

    return api


def _key(*, new_for: str) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise KeyInvalid(new_for)
    return key


def _wanted(items: list[WantedItem]) -> frozenset[Wanted]:
    return frozenset(Wanted(ProductId(item.product_id), item.quantity) for item in items)


def _next(page: orders.Page, query: PageQuery) -> str | None:
    if page.next_after is None:
        return None
    return next_link(cursor_after(page.next_after), limit=query.limit, status=query.status)


def _rendered(order: Order) -> shapes.Order:
    items = [
        shapes.Item(
            product_id=item.product_id,
            quantity=item.quantity,
            unit_price_cents=_cents(item.unit_price),
        )
        for item in order.items
    ]
    return shapes.Order(
        id=order.id,
        status=order.status,
        items=items,
        total_cents=_cents(order.total),
        created_at=order.created_at.isoformat(),
        cancelled_at=order.cancelled_at.isoformat() if order.cancelled_at else None,
    )


def _cents(amount: Decimal) -> int:
    return int(amount.scaleb(2))
