"""What product hears of others: the events that it knows, and what follows from each."""

from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Connection

from platform_kit.events import Effect, Event, read
from product import reservations
from product.reservations import ReservationId


class OrderCancelled(BaseModel):
    """What is read of the event. Which items it is about the reservation itself says."""

    reservation_id: UUID


def give_back(connection: Connection, event: Event) -> None:
    """Give the items of a cancelled order back to the stock."""
    cancelled = read(event, OrderCancelled)
    reservations.release_in(connection, ReservationId(cancelled.reservation_id))


EFFECTS: dict[tuple[str, int], Effect] = {("OrderCancelled", 1): give_back}
