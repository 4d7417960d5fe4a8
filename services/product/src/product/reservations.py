"""Reservations: stock taken by a caller's own id, all of it or nothing, and given back once.

The caller chooses the id, so both calls can be repeated until an answer arrives. A release that
overtakes its reservation leaves a tombstone: the reservation is refused when it arrives. A part can be
given back before the rest: then the reservation has only the rest left.

No overselling: an UPDATE takes stock only where enough is left, and PostgreSQL looks again once
it holds the row. No deadlock: a transaction locks one reservation first, then products in the
order of their ids.

Problem
    ReservationDiffers    the id was used for other items
    ReservationReleased   the id was released, perhaps before it was ever used
    OutOfStock            a product has less than was asked for
    ProductMissing        a product does not exist
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql

from platform_kit import Database, Problem
from product.products import ProductId, ProductMissing
from product.tables import products, reservation_items, reservations

ReservationId = NewType("ReservationId", UUID)


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """So many of one product. Sorts by the product's id: the order in which rows are locked."""

    product_id: ProductId
    quantity: int


class ReservationDiffers(Problem):
    """The id holds a reservation of other items."""

    def __init__(self) -> None:
        super().__init__(
            409, "reservation_differs", "This id holds a reservation of other items already."
        )


class ReservationReleased(Problem):
    """The id was released."""

    def __init__(self) -> None:
        super().__init__(
            409, "reservation_released", "This reservation was released; reserve by a new id."
        )


class OutOfStock(Problem):
    """A product has less than was asked for."""

    def __init__(self, item: Item) -> None:
        super().__init__(
            409,
            "out_of_stock",
            f"There are fewer than {item.quantity} left of product {item.product_id}.",
            product_id=item.product_id,
        )


def reserve(database: Database, reservation_id: ReservationId, items: Iterable[Item]) -> bool:
    """Take the items, each of another product, from the stock. False: they had been taken before.

    Raises one of this module's problems, and then nothing was taken.
    """
    wanted = sorted(items)
    with database.begin() as connection:
        if not _write_down(connection, reservation_id):
            _check_same(connection, reservation_id, wanted)
            return False
        for item in wanted:
            _take(connection, item)
        connection.execute(insert(reservation_items), _rows(reservation_id, wanted))
    return True


def release(database: Database, reservation_id: ReservationId) -> None:
    """Give the items back to the stock if that was not done yet; an unknown id is refused from now on."""
    with database.begin() as connection:
        release_in(connection, reservation_id)


def release_in(connection: Connection, reservation_id: ReservationId) -> None:
    """Do so in a transaction of the caller's."""
    if _write_down(connection, reservation_id, released_at=func.now()):
        return
    statement = (
        update(reservations)
        .where(reservations.c.id == reservation_id, reservations.c.released_at.is_(None))
        .values(released_at=func.now())
    )
    if connection.execute(statement).rowcount:
        for item in _items(connection, reservation_id):
            _give_back(connection, item)


def release_part_in(
    connection: Connection, reservation_id: ReservationId, items: Iterable[Item]
) -> None:
    """Give these items back in a transaction of the caller's, each no more than is left in the reservation.

    Of one that was released nothing is left: whoever did that, by whatever release, gave it back. This one is not for
    calling twice: what is given back once is an event's to say.
    """
    is_held = (
        select(reservations.c.id)
        .where(reservations.c.id == reservation_id, reservations.c.released_at.is_(None))
        .with_for_update()
    )
    if connection.execute(is_held).one_or_none() is None:
        return
    left = {item.product_id: item.quantity for item in _items(connection, reservation_id)}
    for item in sorted(items):
        count = min(item.quantity, left.get(item.product_id, 0))
        if count:
            _take_off(connection, reservation_id, Item(item.product_id, count), of=left)
            _give_back(connection, Item(item.product_id, count))


def _write_down(
    connection: Connection,
    reservation_id: ReservationId,
    *,
    released_at: ColumnElement[datetime] | None = None,
) -> bool:
    # Waits for a rival with the same id to commit or roll back, and only then says who was first.
    statement = (
        postgresql.insert(reservations)
        .values(id=reservation_id, released_at=released_at)
        .on_conflict_do_nothing()
        .returning(reservations.c.id)
    )
    return connection.execute(statement).one_or_none() is not None


def _check_same(connection: Connection, reservation_id: ReservationId, wanted: list[Item]) -> None:
    released_at = select(reservations.c.released_at).where(reservations.c.id == reservation_id)
    if connection.execute(released_at).scalar_one() is not None:
        raise ReservationReleased
    if _items(connection, reservation_id) != wanted:
        raise ReservationDiffers


def _take(connection: Connection, item: Item) -> None:
    statement = (
        update(products)
        .where(products.c.id == item.product_id, products.c.stock >= item.quantity)
        .values(stock=products.c.stock - item.quantity)
    )
    if connection.execute(statement).rowcount:
        return
    known = select(products.c.id).where(products.c.id == item.product_id)
    if connection.execute(known).one_or_none() is None:
        raise ProductMissing(item.product_id)
    raise OutOfStock(item)


def _give_back(connection: Connection, item: Item) -> None:
    statement = (
        update(products)
        .where(products.c.id == item.product_id)
        .values(stock=products.c.stock + item.quantity)
    )
    connection.execute(statement)


def _take_off(
    connection: Connection,
    reservation_id: ReservationId,
    item: Item,
    *,
    of: Mapping[ProductId, int],
) -> None:
    kept = reservation_items.c
    mine = (kept.reservation_id == reservation_id, kept.product_id == item.product_id)
    if of[item.product_id] == item.quantity:
        connection.execute(delete(reservation_items).where(*mine))
    else:
        less = kept.quantity - item.quantity
        connection.execute(update(reservation_items).where(*mine).values(quantity=less))


def _items(connection: Connection, reservation_id: ReservationId) -> list[Item]:
    statement = (
        select(reservation_items.c.product_id, reservation_items.c.quantity)
        .where(reservation_items.c.reservation_id == reservation_id)
        .order_by(reservation_items.c.product_id)
    )
    return [Item(ProductId(row.product_id), row.quantity) for row in connection.execute(statement)]


def _rows(reservation_id: ReservationId, items: list[Item]) -> list[dict[str, object]]:
    return [
        {
            "reservation_id": reservation_id,
            "product_id": item.product_id,
            "quantity": item.quantity,
        }
        for item in items
    ]
