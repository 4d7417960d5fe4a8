"""Placing an order: the stock is taken and the order stands, or there is neither.

Three steps, each done for good before the next: the order is written down as pending (`begin`),
product reserves its items under the order's id, and the order becomes placed (`confirm`). What
fails is turned around (`abandon`, `settle`): the reservation is released, then the row deleted.
A process that dies in between leaves a row that nobody sees, and the sweeper turns it around.

Prices are asked for before the first step, or, behind the flag `reserve-first`, between the second
and the third: then who asks first for what is scarce gets it, however long the prices take, and who
is too late is told so by one call. The row comes first either way: it takes the key, and without it
nobody would know of a reservation whose process has died.

An idempotency key is one order of a customer's. Whoever else sends it waits for that order.

Problem
    KeyReused         the key stands for other items
    OrderInProgress   the key's order is still being placed; ask again later
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, select, union_all, update
from sqlalchemy.dialects import postgresql

from order import orders
from order.flags import RESERVE_FIRST
from order.orders import CustomerId, Item, Order, OrderId, ProductId, Status, Wanted
from order.stock import OutOfStock, ProductMissing, ProductUnavailable, Stock
from order.tables import cancelled_items, order_items
from order.tables import orders as table
from platform_kit import Database, Problem, logger
from platform_kit.deadline import remaining_seconds, within

# Longer than the two calls that placing takes at worst, by default 2 s each.
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.05
# For all prices together while the stock waits for them: no longer than one call at worst, as those above count on.
PRICES_SECONDS = 2.0
# What a pending order that was reserved first has for a price. It is seen with its own prices or not at all.
UNPRICED = Decimal("0.00")

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a customer asks for, under a key of theirs. Each item is another product."""

    customer: CustomerId
    key: str
    items: frozenset[Wanted]


@dataclass(frozen=True, slots=True)
class Placed:
    """The order of a purchase, and whether it had been placed before."""

    order: Order
    is_replay: bool


class KeyReused(Problem):
    """The key stands for an order of other items."""

    def __init__(self) -> None:
        super().__init__(
            422,
            "key_reused",
            "This Idempotency-Key was used for an order of other items; use a new one.",
        )


class OrderInProgress(Problem):
    """The order with this key is still being placed."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "order_in_progress",
            "The order with this Idempotency-Key is still being placed; ask again.",
            headers={"Retry-After": "1"},
        )


def place(database: Database, stock: Stock, purchase: Purchase) -> Placed:
    """Place the order, or return the one that the purchase's key was used for before.

    Raises a problem of this module's or of `order.stock`; then there is no order, or there is one
    of another request's and its customer will get it by asking again.
    """
    attempt = _reserved_first if RESERVE_FIRST.on(purchase.customer) else _priced_first
    deadline = time.monotonic() + remaining_seconds(WAIT_SECONDS)
    while True:
        found = find(database, purchase)
        if found is None:
            placed = attempt(database, stock, purchase)
            if placed is not None:
                return Placed(placed, is_replay=False)
        elif found.status in orders.VISIBLE:
            return Placed(found, is_replay=True)
        elif found.status is Status.RELEASING:
            settle(database, stock, found.id)
        elif time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        else:
            raise OrderInProgress


def find(database: Database, purchase: Purchase) -> Order | None:
    """Return the key's order, whatever its status; raise `KeyReused` if it has other items."""
    chosen = select(table).where(
        table.c.customer == purchase.customer, table.c.idempotency_key == purchase.key
    )
    with database.connect() as connection:
        found = orders.load(connection, chosen)
        if not found:
            return None
        asked_for = _asked_for(connection, found[0].id)
    if not asked_for:  # it came to nothing between the two looks
        return None
    if asked_for != purchase.items:
        raise KeyReused
    return found[0]


def begin(database: Database, purchase: Purchase, items: Iterable[Item]) -> Order | None:
    """Write a pending order down and return it, or None if the key has an order already."""
    order_id = OrderId(uuid4())
    statement = (
        postgresql.insert(table)
        .values(
            id=order_id,
            customer=purchase.customer,
            idempotency_key=purchase.key,
            **orders.columns(Status.PENDING),
        )
        .on_conflict_do_nothing(constraint="orders_idempotency_key")
        .returning(table.c.created_at)
    )
    kept = tuple(items)
    with database.begin() as connection:
        created_at = connection.execute(statement).scalar_one_or_none()
        if created_at is None:
            return None
        connection.execute(insert(order_items), [_row(order_id, item) for item in kept])
    return Order(order_id, Status.PENDING, kept, created_at)


def confirm(database: Database, order_id: OrderId, *, priced: Iterable[Item] = ()) -> bool:
    """Make a pending order placed, with the prices of these items; False if the sweeper took it for abandoned."""
    with database.begin() as connection:
        if not _move(connection, order_id, to=Status.PLACED):
            return False
        for item in priced:
            _write_price(connection, order_id, item)
    return True


def abandon(database: Database, order_id: OrderId) -> bool:
    """Say that a pending order comes to nothing; False if somebody else said so."""
    with database.begin() as connection:
        return _move(connection, order_id, to=Status.RELEASING)


def settle(database: Database, stock: Stock, order_id: OrderId) -> None:
    """Undo an abandoned order: its reservation, then its row. Can be repeated, also at once.

    Raises `ProductUnavailable`: then the row stays for the next one who tries.
    """
    stock.release(order_id)
    _discard(database, order_id)


def _priced_first(database: Database, stock: Stock, purchase: Purchase) -> Order | None:
    begun = begin(database, purchase, _priced(stock, purchase))
    if begun is None:
        return None
    _reserve(database, stock, begun)
    if not confirm(database, begun.id):
        raise ProductUnavailable
    return replace(begun, status=Status.PLACED)


def _reserved_first(database: Database, stock: Stock, purchase: Purchase) -> Order | None:
    begun = begin(database, purchase, _unpriced(purchase))
    if begun is None:
        return None
    _reserve(database, stock, begun)
    try:
        with within(PRICES_SECONDS):
            items = tuple(_priced(stock, purchase))
    except Problem:
        _turn_around(database, stock, begun.id)
        raise
    if not confirm(database, begun.id, priced=items):
        raise ProductUnavailable
    return replace(begun, status=Status.PLACED, items=items)


def _reserve(database: Database, stock: Stock, order: Order) -> None:
    try:
        stock.reserve(order.id, order.items)
    except (ProductMissing, OutOfStock):
        # Refused as a whole: product holds nothing under this id.
        _discard(database, order.id)
        raise
    except ProductUnavailable:
        _turn_around(database, stock, order.id)
        raise


def _turn_around(database: Database, stock: Stock, order_id: OrderId) -> None:
    abandon(database, order_id)
    try:
        settle(database, stock, order_id)
    except ProductUnavailable:
        log.warning("order_left_to_sweeper", order_id=str(order_id))


def _priced(stock: Stock, purchase: Purchase) -> list[Item]:
    in_order = sorted(purchase.items, key=lambda item: item.product_id)
    return [Item(item.product_id, item.quantity, stock.price(item.product_id)) for item in in_order]


def _unpriced(purchase: Purchase) -> list[Item]:
    return [Item(item.product_id, item.quantity, UNPRICED) for item in purchase.items]


def _asked_for(connection: Connection, order_id: OrderId) -> frozenset[Wanted]:
    """Return what the order was placed for: what it has, and what was cancelled of it since, as one snapshot has them."""
    left, gone = order_items.c, cancelled_items.c
    all_items = union_all(
        select(left.product_id, left.quantity).where(left.order_id == order_id),
        select(gone.product_id, gone.quantity).where(gone.order_id == order_id, gone.taken_off),
    ).subquery()
    statement = select(all_items.c.product_id, func.sum(all_items.c.quantity)).group_by(
        all_items.c.product_id
    )
    return frozenset(
        Wanted(ProductId(product), quantity) for product, quantity in connection.execute(statement)
    )


def _write_price(connection: Connection, order_id: OrderId, item: Item) -> None:
    statement = (
        update(order_items)
        .where(order_items.c.order_id == order_id, order_items.c.product_id == item.product_id)
        .values(unit_price=item.unit_price)
    )
    connection.execute(statement)


def _move(connection: Connection, order_id: OrderId, *, to: Status) -> bool:
    statement = (
        update(table)
        .where(table.c.id == order_id, orders.has(Status.PENDING))
        .values(**orders.columns(to))
    )
    return connection.execute(statement).rowcount == 1


def _discard(database: Database, order_id: OrderId) -> None:
    unseen = orders.has(Status.PENDING, Status.RELEASING)
    with database.begin() as connection:
        connection.execute(delete(table).where(table.c.id == order_id, unseen))


def _row(order_id: OrderId, item: Item) -> dict[str, object]:
    return {
        "order_id": order_id,
        "product_id": item.product_id,
        "quantity": item.quantity,
        "unit_price": item.unit_price,
    }
