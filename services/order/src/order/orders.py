"""Orders as their customers see them: one, or a page of them, newest first.

An order begins as pending and is then placed, or releasing and then gone. A placed one can be
cancelled; inside it is cancelling until product knows. What is pending or releasing nobody sees:
it is not an order yet, or never became one.

Problem
    OrderMissing   the customer has no order with this id
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Any, NewType
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select, tuple_

from order.tables import Target, order_items, orders, shown
from platform_kit import Database, Problem

OrderId = NewType("OrderId", UUID)
CustomerId = NewType("CustomerId", str)
ProductId = NewType("ProductId", int)


class Status(StrEnum):
    """Where an order is on its way."""

    PENDING = "pending"  # the stock is being reserved
    RELEASING = "releasing"  # it failed: the reservation goes, then the row
    PLACED = "placed"
    CANCELLING = "cancelling"  # product is yet to be told
    CANCELLED = "cancelled"


VISIBLE = (Status.PLACED, Status.CANCELLING, Status.CANCELLED)

# Each status in a row's two columns: where the order goes, and whether it is there. What is gone has no row.
COLUMNS = {
    Status.PENDING: (Target.PLACED, False),
    Status.RELEASING: (Target.GONE, False),
    Status.PLACED: (Target.PLACED, True),
    Status.CANCELLING: (Target.CANCELLED, False),
    Status.CANCELLED: (Target.CANCELLED, True),
}
STATUSES = {columns: status for status, columns in COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class Item:
    """So many of one product, each at the price it had when the order was placed."""

    product_id: ProductId
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many of one product, as customers ask for them."""

    product_id: ProductId
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order with its items, in the order of the products' ids.

    `cancelled_at` is None also where a release before 1.2.0 cancelled it.
    """

    id: OrderId
    status: Status
    items: tuple[Item, ...]
    created_at: datetime
    cancelled_at: datetime | None = None

    @property
    def total(self) -> Decimal:
        """What the customer pays."""
        return sum((item.unit_price * item.quantity for item in self.items), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class Page:
    """Some orders, and the id after which the next ones begin if there are more."""

    items: tuple[Order, ...]
    next_after: OrderId | None


class OrderMissing(Problem):
    """The customer has no order with this id; whether somebody else has is not told."""

    def __init__(self, order_id: OrderId) -> None:
        super().__init__(404, "order_missing", f"You have no order with the id {order_id}.")


def read(database: Database, customer: CustomerId, *, order_id: OrderId) -> Order:
    """Return the customer's order; raise `OrderMissing` if it is not theirs, or not there."""
    with database.connect() as connection:
        return read_in(connection, customer, order_id=order_id)


def read_in(connection: Connection, customer: CustomerId, *, order_id: OrderId) -> Order:
    """Do so in a transaction of the caller's."""
    found = load(connection, _visible_to(customer).where(orders.c.id == order_id))
    if not found:
        raise OrderMissing(order_id)
    return found[0]


def page(
    database: Database,
    customer: CustomerId,
    *,
    after: OrderId | None,
    limit: int,
    status: Status | None = None,
) -> Page:
    """Return up to `limit` of the customer's orders, the newest first, or the newest before `after`.

    All that the customer sees, or those of a status.
    """
    chosen = _visible_to(customer).limit(limit + 1)
    if status is not None:
        chosen = chosen.where(_shows(status))
    if after is not None:
        chosen = chosen.where(_placed_before(customer, after))
    with database.connect() as connection:
        found = load(connection, chosen)
    # The one too many is not shown: it says that there is a next page.
    items = found[:limit]
    return Page(items=items, next_after=items[-1].id if len(found) > limit else None)


def has(*statuses: Status) -> ColumnElement[bool]:
    """Return the condition of a row of `orders` that has one of the statuses."""
    each = (COLUMNS[status] for status in statuses)
    return or_(
        *(
            and_(orders.c.target_status == target, orders.c.settled.is_(settled))
            for target, settled in each
        )
    )


def columns(status: Status) -> dict[str, object]:
    """Return what a row of `orders` with the status has in its columns."""
    target, settled = COLUMNS[status]
    return {"target_status": target, "settled": settled}


def status_of(row: Row[Any]) -> Status:
    """Return the status of a row of `orders`."""
    return STATUSES[row.target_status, row.settled]


def load(connection: Connection, chosen: Select[Any]) -> tuple[Order, ...]:
    """Return the chosen rows of `orders` with their items, newest first, as one snapshot has them."""
    rows = chosen.subquery()
    statement = (
        select(rows, order_items)
        .join(order_items, order_items.c.order_id == rows.c.id)
        .order_by(rows.c.created_at.desc(), rows.c.id.desc(), order_items.c.product_id)
    )
    found = connection.execute(statement)
    return tuple(_order(group) for _, group in groupby(found, key=lambda row: row.id))


def _visible_to(customer: CustomerId) -> Select[Any]:
    return (
        select(orders)
        .where(orders.c.customer == customer, shown)
        .order_by(orders.c.created_at.desc(), orders.c.id.desc())
    )


def _placed_before(customer: CustomerId, order_id: OrderId) -> ColumnElement[bool]:
    # An id that is not the customer's compares with NULL: there is nothing before it.
    place = select(orders.c.created_at, orders.c.id).where(
        orders.c.id == order_id, orders.c.customer == customer
    )
    return tuple_(orders.c.created_at, orders.c.id) < place.scalar_subquery()


def _order(rows: Iterable[Row[Any]]) -> Order:
    first, *rest = rows
    items = (Item(row.product_id, row.quantity, row.unit_price) for row in (first, *rest))
    return Order(
        id=OrderId(first.id),
        status=_shown_status(first),
        items=tuple(items),
        created_at=first.created_at,
        cancelled_at=first.cancelled_at,
    )


def _shows(status: Status) -> ColumnElement[bool]:
    """Return the condition of a row whose order the customer sees with the status: see `_shown_status`."""
    has_time = orders.c.cancelled_at.is_not(None)
    match status:
        case Status.CANCELLED:
            return or_(has(status), and_(has(Status.CANCELLING), has_time))
        case Status.CANCELLING:
            return and_(has(status), ~has_time)
        case _:
            return has(status)


def _shown_status(row: Row[Any]) -> Status:
    # What this release cancelled is cancelled at once; what an older one did, when product has answered.
    return Status.CANCELLED if row.cancelled_at else status_of(row)
