"""The relay: delivers a service's events, beside the requests of every instance.

A consumer that refuses an event lets that one wait, and the next one has its turn. One that cannot be reached ends the
round: the others need not be tried. Either way an event waits longer after each attempt.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum

from prometheus_client.registry import Collector
from sqlalchemy import Table

from platform_kit.database import Database
from platform_kit.errors import ServiceUnreachable
from platform_kit.events.exposition import OutboxMetrics
from platform_kit.events.outbox import Claimed, Depth, Outbox, Settle
from platform_kit.logs import logger

# How soon an event goes out after its commit, at most. A look at an empty outbox takes a millisecond.
EVERY_SECONDS = 0.5
# The whole outbox is counted, which may be long when the consumer was away for hours.
LOOK_SECONDS = 5.0

# Delivers an event, with the headers that tie it to its trace, and returns the status of the consumer's
# answer; raises `ServiceUnreachable` when there is none.
Send = Callable[[Claimed], int]

log = logger(__name__)


class Delivery(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # any answer but 2xx
    UNREACHABLE = "unreachable"


class Relay:
    """Delivers what is due, again and again. `settle` is done in the transaction that takes an event out."""

    def __init__(
        self, database: Database, outbox: Table, send: Send, *, settle: Settle | None = None
    ) -> None:
        self._outbox = Outbox(database, outbox)
        self._send = send
        self._settle = settle
        self._looked_at = float("-inf")
        self._lock = threading.Lock()
        self._deliveries: Counter[Delivery] = Counter(dict.fromkeys(Delivery, 0))
        self.depth = Depth()

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop. What goes wrong with the database is raised."""
        while not stop.is_set():
            self.deliver(stop)
            self._look()
            stop.wait(EVERY_SECONDS)

    def deliver(self, stop: threading.Event | None = None) -> int:
        """Deliver what is due, the longest first, until the consumer cannot be reached; return how many."""
        count = 0
        while not (stop and stop.is_set()) and (claimed := self._outbox.claim()) is not None:
            ended = self._attempt(claimed)
            count += ended is Delivery.DELIVERED
            if ended is Delivery.UNREACHABLE:
                break
        return count

    def deliveries(self) -> Mapping[Delivery, int]:
        """Return how often each end has been."""
        with self._lock:
            return dict(self._deliveries)

    def metrics(self, identity: Mapping[str, str]) -> Collector:
        """Return what `/metrics` shows of it."""
        return OutboxMetrics(identity, self)

    def _attempt(self, claimed: Claimed) -> Delivery:
        event = claimed.event
        told = log.bind(event_id=str(event.id), type=event.type, attempts=claimed.attempts)
        try:
            status = self._send(claimed)
        except ServiceUnreachable as error:
            told.warning("event_not_delivered", cause=str(error))
            return self._failed(claimed, Delivery.UNREACHABLE)
        if not 200 <= status < 300:
            told.warning("event_refused", status=status)
            return self._failed(claimed, Delivery.REFUSED)
        self._outbox.remove(event, self._settle)
        told.info("event_delivered")
        return self._counted(Delivery.DELIVERED)

    def _failed(self, claimed: Claimed, ended: Delivery) -> Delivery:
        self._outbox.put_off(claimed)
        return self._counted(ended)

    def _counted(self, ended: Delivery) -> Delivery:
        with self._lock:
            self._deliveries[ended] += 1
        return ended

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self.depth, self._looked_at = self._outbox.depth(), now
