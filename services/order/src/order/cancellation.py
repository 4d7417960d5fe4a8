"""Cancelling an order: it is cancelled at once, and product is told by an event to give the stock back.

Both are written in one transaction, so there is no order cancelled of which product never hears. Until it has
confirmed the event, the order is unsettled: where a release before 1.2.0 takes over, which has no relay, its sweeper
finds the order and has the stock released in its own way. Product gives it back once, whoever asks.
"""

from sqlalchemy import ColumnElement, Connection, and_, func, update

from order import events, orders
from order.orders import CustomerId, Order, OrderId, Status
from order.tables import orders as table
from platform_kit import Database


def cancel(database: Database, customer: CustomerId, *, order_id: OrderId) -> Order:
    """Cancel the customer's order and return it; one that is cancelled already stays as it is.

    Raises `OrderMissing`.
    """
    _cancel(database, order_id, orders.has(Status.PLACED, Status.CANCELLING), of=customer)
    return orders.read(database, customer, order_id=order_id)


def take_over(database: Database, order_id: OrderId) -> None:
    """Cancel an order that a release before 1.2.0 was cancelling. Can be repeated, also at once."""
    _cancel(database, order_id, orders.has(Status.CANCELLING))


def _cancel(
    database: Database,
    order_id: OrderId,
    is_open: ColumnElement[bool],
    *,
    of: CustomerId | None = None,
) -> None:
    if of is not None:
        is_open = and_(is_open, table.c.customer == of)
    with database.begin() as connection:
        cancel_in(connection, order_id, is_open)


def cancel_in(connection: Connection, order_id: OrderId, is_open: ColumnElement[bool]) -> None:
    """Cancel an order that is open, with its event, in a transaction of the caller's."""
    statement = (
        update(table)
        .where(table.c.id == order_id, is_open, table.c.cancelled_at.is_(None))
        .values(**orders.columns(Status.CANCELLING), cancelled_at=func.now(), touched_at=func.now())
    )
    if connection.execute(statement).rowcount:
        events.order_cancelled(connection, order_id)
