"""What order tells product: the events that it writes, and how they are delivered."""

from collections.abc import Iterable
from dataclasses import asdict
from operator import attrgetter
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import Connection, select, update

from order import orders
from order.orders import OrderId, Status, Wanted
from order.tables import order_items, outbox
from order.tables import orders as table
from platform_kit import ServiceClient, ServiceUnreachable
from platform_kit.events import Event, Receipt, write
from platform_kit.events.outbox import Claimed

if TYPE_CHECKING:
    from httpx import Response  # the kit imports it only when a client is made


def order_cancelled(connection: Connection, order_id: OrderId) -> None:
    """Write the event down in the transaction that cancels the order."""
    chosen = (
        select(order_items.c.product_id, order_items.c.quantity)
        .where(order_items.c.order_id == order_id)
        .order_by(order_items.c.product_id)
    )
    data = {
        "order_id": str(order_id),
        "reservation_id": str(order_id),  # product holds the items under the order's own id
        "items": [dict(row) for row in connection.execute(chosen).mappings()],
    }
    write(connection, outbox, type_="OrderCancelled", version=1, key=str(order_id), data=data)


def items_cancelled(connection: Connection, order_id: OrderId, items: Iterable[Wanted]) -> None:
    """Write down that a part of an order is cancelled, in the transaction that takes it off.

    It is of the type and version that every product knows and names no reservation: a product that does not know of parts
    refuses that, and it comes again until one does. A type of its own would be skipped there, and confirmed. The key is
    its own: meanwhile the whole order may be cancelled, and that waits for nothing.
    """
    data = {
        "order_id": str(order_id),
        "reservation_id": None,
        "part_of": str(order_id),
        "items": [asdict(item) for item in sorted(items, key=attrgetter("product_id"))],
    }
    write(connection, outbox, type_="OrderCancelled", version=1, key=str(uuid4()), data=data)


def settle(connection: Connection, event: Event) -> None:
    """Note that product knows of the cancelled order."""
    statement = (
        update(table)
        .where(table.c.id == UUID(event.key), orders.has(Status.CANCELLING))
        .values(**orders.columns(Status.CANCELLED))
    )
    connection.execute(statement)


class Product:
    """Product, as the one who is told. Safe to share among threads."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def tell(self, claimed: Claimed) -> int:
        """Deliver an event and return the answer's status; raise `ServiceUnreachable`.

        A 2xx that is not product's own, such as a proxy's page, is no answer.
        """
        event = claimed.event
        body = event.model_dump(mode="json")
        answer = self._client.request("POST", "events", json=body, headers=claimed.trace)
        reservation_id = event.data.get("reservation_id")
        if answer.status_code == 404 and reservation_id is not None:
            # A product before 1.3.0 takes no events. What has to come of this one it does by another call; a router
            # that has no product to pass it on to says 404 to that one too. Of a part nothing but the event says which.
            path = f"reservations/{reservation_id}"
            answer = self._client.request("DELETE", path, headers=claimed.trace)
        if answer.is_success and not _is_products(answer):
            raise ServiceUnreachable("product", cause=f"a {answer.status_code} of somebody else's")
        return answer.status_code


def _is_products(answer: "Response") -> bool:
    if answer.request.method == "DELETE":
        return answer.status_code == 204
    try:
        Receipt.model_validate_json(answer.content)
    except ValidationError:
        return False
    return True
