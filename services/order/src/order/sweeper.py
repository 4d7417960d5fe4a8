"""The sweeper: finishes what failures and dead processes left between two steps.

Every instance runs one. An order is claimed by a short transaction, and by nobody else for a
while, so no row is locked during a call to product, and one that fails makes room for the others.
A cancelled order of which product is yet to hear is no leftover: its event is in the outbox.
"""

from dataclasses import dataclass
from datetime import timedelta
from threading import Event

from sqlalchemy import case, func, literal, select, update

from order import cancellation, placement
from order.orders import OrderId, Status, has, status_of
from order.stock import ProductUnavailable, Stock
from order.tables import Target, orders, unsettled
from platform_kit import Database, logger

# Whoever places or cancels is done, or has given up, after two calls of 2 s: older is left over.
# One that was only slow loses nothing: it finds its order gone and answers 503.
LEFT_OVER_AFTER = timedelta(seconds=10)

EVERY_SECONDS = 2.0

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Leftover:
    """An order that nobody works on: releasing, or left cancelling by a release before 1.2.0."""

    order_id: OrderId
    status: Status


class Sweeper:
    """Settles leftovers, again and again."""

    def __init__(self, database: Database, stock: Stock) -> None:
        self._database = database
        self._stock = stock

    def run(self, stop: Event) -> None:
        """Sweep until told to stop. What goes wrong with the database is raised."""
        while not stop.is_set():
            self.sweep()
            stop.wait(EVERY_SECONDS)

    def sweep(self) -> int:
        """Settle the leftovers, the oldest first, until product fails; return how many."""
        count = 0
        while (leftover := claim(self._database)) is not None:
            try:
                self._settle(leftover)
            except ProductUnavailable:
                log.warning("sweep_cut_short", order_id=str(leftover.order_id), settled=count)
                break
            log.info("order_settled", order_id=str(leftover.order_id), was=leftover.status)
            count += 1
        return count

    def _settle(self, leftover: Leftover) -> None:
        if leftover.status is Status.CANCELLING:
            cancellation.take_over(self._database, leftover.order_id)
        else:
            placement.settle(self._database, self._stock, leftover.order_id)


def claim(database: Database) -> Leftover | None:
    """Return the oldest leftover, which no other sweeper gets now; a pending one becomes releasing."""
    oldest = (
        select(orders.c.id)
        .where(
            unsettled,
            orders.c.cancelled_at.is_(None),
            orders.c.touched_at < func.now() - LEFT_OVER_AFTER,
        )
        .order_by(orders.c.touched_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    target = orders.c.target_status
    gone = literal(Target.GONE, target.type)
    statement = (
        update(orders)
        .where(orders.c.id == oldest.scalar_subquery())
        .values(
            target_status=case((has(Status.PENDING), gone), else_=target),
            touched_at=func.now(),
        )
        .returning(orders.c.id, target, orders.c.settled)
    )
    with database.begin() as connection:
        row = connection.execute(statement).one_or_none()
    return Leftover(OrderId(row.id), status_of(row)) if row else None
