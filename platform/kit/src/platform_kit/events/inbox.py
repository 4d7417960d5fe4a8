"""The inbox: which events have had their effect. Each has it once, however often and by how many it is delivered.

The event's id is noted in the transaction of the effect. Who comes second with the same id waits for the first to end:
it finds the id and does nothing, or, where the first failed, has its own try. What this code does not know, a type or a version
of a shape, is skipped and confirmed: delivered again it would be as unknown.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum

from prometheus_client.registry import Collector
from pydantic import BaseModel
from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects.postgresql import insert

from platform_kit.database import Database
from platform_kit.events.event import Event
from platform_kit.events.exposition import InboxMetrics
from platform_kit.logs import logger
from platform_kit.sweeping import delete_some

# Twice as long as any relay tries (GIVE_UP_AFTER): nothing comes again that was forgotten.
KEPT = timedelta(days=14)
PRUNE_SECONDS = 3600.0
# So many go in a statement: a tenth of a second.
PRUNED_AT_ONCE = 5_000

# Does what follows from an event, in the transaction that notes it. A `Problem` that it raises is the answer.
Effect = Callable[[Connection, Event], None]

log = logger(__name__)


class Outcome(StrEnum):
    """What came of an event."""

    APPLIED = "applied"
    REPEATED = "repeated"  # it had had its effect before
    SKIPPED = "skipped"  # this release does not know its type, or the version of its shape


class Receipt(BaseModel):
    """What came of an event: `applied`, `repeated` or `skipped`. Each of them confirms it."""

    outcome: Outcome


class Inbox:
    """Takes events, by the effects of those that this release knows: (type, version) -> effect."""

    def __init__(
        self, database: Database, inbox: Table, effects: Mapping[tuple[str, int], Effect]
    ) -> None:
        self._database = database
        self._table = inbox
        self._effects = dict(effects)
        self._types = {type_ for type_, _ in effects}
        self._lock = threading.Lock()
        self._taken: Counter[tuple[str, Outcome]] = Counter(
            {(type_, outcome): 0 for type_ in self._types for outcome in Outcome}
        )

    def take(self, event: Event) -> Receipt:
        """Let the event have its effect, unless it has had it or is unknown. What the effect raises is raised."""
        effect = self._effects.get((event.type, event.version))
        if effect is None:
            log.warning(
                "event_skipped", event_id=str(event.id), type=event.type, shape=event.version
            )
            return self._counted(event, Outcome.SKIPPED)
        with self._database.begin() as connection:
            is_new = self._note(connection, event)
            if is_new:
                effect(connection, event)
        return self._counted(event, Outcome.APPLIED if is_new else Outcome.REPEATED)

    def run(self, stop: threading.Event) -> None:
        """Forget what is too old to come again, once an hour, until told to stop."""
        while not stop.is_set():
            self.prune()
            stop.wait(PRUNE_SECONDS)

    def prune(self) -> int:
        """Forget what is too old to come again; return how many events."""
        count = 0
        while True:
            pruned = self._prune_some()
            count += pruned
            if pruned < PRUNED_AT_ONCE:
                return count

    def taken(self) -> Mapping[tuple[str, Outcome], int]:
        """Return how often each outcome has been, by type; a type that no effect is of is `other`."""
        with self._lock:
            return dict(self._taken)

    def metrics(self, identity: Mapping[str, str]) -> Collector:
        """Return what `/metrics` shows of it."""
        return InboxMetrics(identity, self)

    def _note(self, connection: Connection, event: Event) -> bool:
        # Waits for a rival with the same id to commit or roll back, and only then says who was first.
        statement = (
            insert(self._table)
            .values(id=event.id, type=event.type)
            .on_conflict_do_nothing()
            .returning(self._table.c.id)
        )
        return connection.execute(statement).one_or_none() is not None

    def _prune_some(self) -> int:
        table = self._table
        old = (
            select(table.c.id)
            .where(table.c.received_at < func.now() - KEPT)
            .order_by(table.c.received_at)
            .limit(PRUNED_AT_ONCE)
        )
        with self._database.begin() as connection:
            return delete_some(connection, table, table.c.id, old)  # another instance may be at it

    def _counted(self, event: Event, outcome: Outcome) -> Receipt:
        log.info("event_taken", event_id=str(event.id), type=event.type, outcome=outcome)
        type_ = event.type if event.type in self._types else "other"
        with self._lock:
            self._taken[type_, outcome] += 1
        return Receipt(outcome=outcome)
