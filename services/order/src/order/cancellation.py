"""Cancelling an order: its stock goes back, once, and it stays as cancelled.

The order becomes cancelling, product releases its reservation, and the order becomes cancelled.
Each step can be repeated, so any number may cancel at once, and the sweeper finishes what a
failure or a dead process left as cancelling. There is no way back from there.
"""

from sqlalchemy import func, update

from order import orders
from order.orders import CustomerId, Order, OrderId, Status
from order.stock import Stock
from order.tables import orders as table
from platform_kit import Database


def cancel(database: Database, stock: Stock, customer: CustomerId, *, order_id: OrderId) -> Order:
    """Cancel the customer's order and return it; one that is cancelled already stays as it is.

    Raises `OrderMissing`, or `ProductUnavailable`: then the order is cancelled a little later.
    """
    if begin(database, customer, order_id=order_id):
        settle(database, stock, order_id)
    return orders.read(database, customer, order_id=order_id)


def begin(database: Database, customer: CustomerId, *, order_id: OrderId) -> bool:
    """Make the customer's order cancelling; False if there is nothing left to do, or no such order."""
    open_ = orders.has(Status.PLACED, Status.CANCELLING)
    statement = (
        update(table)
        .where(table.c.id == order_id, table.c.customer == customer, open_)
        .values(**orders.columns(Status.CANCELLING), touched_at=func.now())
    )
    with database.begin() as connection:
        return connection.execute(statement).rowcount == 1


def settle(database: Database, stock: Stock, order_id: OrderId) -> None:
    """Give the stock of a cancelling order back and make it cancelled. Can be repeated, also at once.

    Raises `ProductUnavailable`: then the order stays cancelling for the next one who tries.
    """
    stock.release(order_id)
    statement = (
        update(table)
        .where(table.c.id == order_id, orders.has(Status.CANCELLING))
        .values(**orders.columns(Status.CANCELLED), cancelled_at=func.now())
    )
    with database.begin() as connection:
        connection.execute(statement)
