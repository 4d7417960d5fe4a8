"""Cancelling a part of an order: so many of some products, while the order may be cancelled whole.

What is cancelled is taken off the order's items, so every release sees what is left, and what it costs. In the same
transaction it is written down under the request's key, by which the same request again has no effect, and product is told
by an event to give so much back. Of all that is left the whole order is cancelled, as `cancellation` does it.

Whatever cancels an order, or a part, has its row first: of two at once the second one sees what the first has left.

Problem
    KeyReused        the key stands for other items of this order
    NotInOrder       the order has fewer of a product
    OrderCancelled   the order is cancelled: there is nothing left of it
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from order import events, orders
from order.cancellation import cancel_in
from order.orders import CustomerId, Order, OrderId, ProductId, Status, Wanted
from order.tables import cancelled_items, order_items
from order.tables import orders as table
from platform_kit import Database, Problem


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be cancelled of an order, under a key of the customer's. Each item is another product."""

    order_id: OrderId
    key: str
    items: frozenset[Wanted]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order as it is now, and whether the key's part had been cancelled before."""

    order: Order
    is_replay: bool


class KeyReused(Problem):
    """The key stands for other items of the order."""

    def __init__(self) -> None:
        super().__init__(
            422,
            "key_reused",
            "This Idempotency-Key was used to cancel other items of this order; use a new one.",
        )


class NotInOrder(Problem):
    """The order has fewer of a product than are to be cancelled."""

    def __init__(self, product_id: ProductId) -> None:
        super().__init__(
            409,
            "not_in_order",
            f"The order does not have as many of product {product_id}.",
            product_id=product_id,
        )


class OrderCancelled(Problem):
    """The order is cancelled as a whole."""

    def __init__(self) -> None:
        super().__init__(409, "order_cancelled", "The order is cancelled already.")


def cancel(database: Database, customer: CustomerId, part: Part) -> Cancelled:
    """Cancel a part of the customer's order, or return the order if that was done before.

    Raises `OrderMissing` or a problem of this module's; then nothing was cancelled.
    """
    with database.begin() as connection:
        _lock(connection, customer, part.order_id)
        order = orders.read_in(connection, customer, order_id=part.order_id)
        before = _cancelled_under(connection, part)
        if not before:
            _cancel(connection, order, part)
        elif before != part.items:
            raise KeyReused
        now = orders.read_in(connection, customer, order_id=part.order_id)
    return Cancelled(now, is_replay=bool(before))


def _lock(connection: Connection, customer: CustomerId, order_id: OrderId) -> None:
    theirs = select(table.c.id).where(table.c.id == order_id, table.c.customer == customer)
    connection.execute(theirs.with_for_update())


def _cancelled_under(connection: Connection, part: Part) -> frozenset[Wanted]:
    statement = select(cancelled_items.c.product_id, cancelled_items.c.quantity).where(
        cancelled_items.c.order_id == part.order_id,
        cancelled_items.c.idempotency_key == part.key,
    )
    return frozenset(
        Wanted(ProductId(row.product_id), row.quantity) for row in connection.execute(statement)
    )


def _cancel(connection: Connection, order: Order, part: Part) -> None:
    if order.status is not Status.PLACED:
        raise OrderCancelled
    has = {item.product_id: item.quantity for item in order.items}
    for item in sorted(part.items, key=lambda item: item.product_id):
        if has.get(item.product_id, 0) < item.quantity:
            raise NotInOrder(item.product_id)
    is_all = part.items == {Wanted(product, quantity) for product, quantity in has.items()}
    _write_down(connection, part, taken_off=not is_all)
    if is_all:
        cancel_in(connection, order.id, orders.has(Status.PLACED))
    else:
        _take_off(connection, order.id, part.items)
        events.items_cancelled(connection, order.id, part.items)


def _write_down(connection: Connection, part: Part, *, taken_off: bool) -> None:
    rows = [
        {
            "order_id": part.order_id,
            "idempotency_key": part.key,
            "product_id": item.product_id,
            "quantity": item.quantity,
            "taken_off": taken_off,
        }
        for item in part.items
    ]
    connection.execute(insert(cancelled_items), rows)


def _take_off(connection: Connection, order_id: OrderId, items: Iterable[Wanted]) -> None:
    kept = order_items.c
    for item in items:
        mine = (kept.order_id == order_id, kept.product_id == item.product_id)
        # The table has no row of none: one that would be left with none goes.
        gone = delete(order_items).where(*mine, kept.quantity == item.quantity)
        if not connection.execute(gone).rowcount:
            less = update(order_items).where(*mine).values(quantity=kept.quantity - item.quantity)
            connection.execute(less)
