"""What product hears of others: the events that it knows, and what follows from each."""

from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Connection

from platform_kit.events import Effect, Event, read
from product import reservations
from product.products import ProductId
from product.reservations import Item, ReservationId
from product.shapes import WantedItems


class OrderCancelled(BaseModel):
    """What is read of the event. Which items it is about the reservation itself says."""

    reservation_id: UUID


class PartCancelled(BaseModel):
    """What is read of the event where it is about a part of an order. A release that does not know of parts refuses it."""

    part_of: UUID
    items: WantedItems


def give_back(connection: Connection, event: Event) -> None:
    """Give the items of a cancelled order, or of a part of one, back to the stock."""
    if event.data.get("part_of") is not None:
        part = read(event, PartCancelled)
        items = [Item(ProductId(item.product_id), item.quantity) for item in part.items]
        reservations.release_part_in(connection, ReservationId(part.part_of), items)
    else:
        cancelled = read(event, OrderCancelled)
        reservations.release_in(connection, ReservationId(cancelled.reservation_id))


EFFECTS: dict[tuple[str, int], Effect] = {("OrderCancelled", 1): give_back}
