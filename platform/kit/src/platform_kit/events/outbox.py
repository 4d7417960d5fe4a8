"""The outbox: events that are written with the change they tell of, and kept until the consumer has confirmed them.

An event is claimed by a short transaction, and by nobody else for a while, so no row is locked while it is delivered, and
any number of relays may work at once. One whose relay died is due again when its claim ends. Only the oldest event of
a key can be claimed: those behind it wait for it, those of other keys do not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from platform_kit.database import Database
from platform_kit.events.event import Event
from platform_kit.logs import current_request_id
from platform_kit.trace import current_trace

# Longer than a delivery may take: two calls of 2 s. Who is slower delivers twice, which the inbox is there for.
CLAIM = timedelta(seconds=10)

# A consumer that restarts is back within seconds; one that is back after an hour gets everything within a minute.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0

# Then nobody tries any more, and a person has to look. Inboxes remember for longer: see KEPT there.
GIVE_UP_AFTER = timedelta(days=7)

# What goes with the event, in the transaction that takes it out of the outbox.
Settle = Callable[[Connection, Event], None]


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that is this relay's to deliver, for the how manieth time, and the headers of the request that wrote it."""

    event: Event
    attempts: int
    trace: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is in the outbox: events, the age of the oldest, and how many of them nobody tries any more."""

    events: int = 0
    oldest_seconds: float = 0.0
    given_up: int = 0


def write(
    connection: Connection,
    outbox: Table,
    *,
    type_: str,
    version: int,
    key: str,
    data: Mapping[str, Any],
) -> UUID:
    """Write an event down in the transaction of what it tells of, and return its id. `data` has to be JSON."""
    event = Event(
        id=uuid4(), type=type_, version=version, key=key, at=datetime.now(UTC), data=dict(data)
    )
    # The time is the database's: by its clock the event is due, and too old in the end.
    values = event.model_dump(exclude={"at"})
    connection.execute(insert(outbox).values(**values, trace=_context()))
    return event.id


class Outbox:
    """A service's outbox, as its relay works on it."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table

    def claim(self) -> Claimed | None:
        """Return the event that is due for the longest, which no other relay gets now; None if none is due."""
        table = self._table
        due, before = table.alias("due"), table.alias("before")
        is_behind = select(before.c.id).where(
            before.c.key == due.c.key, before.c.number < due.c.number
        )
        longest = (
            select(due.c.id)
            .where(due.c.due_at <= func.now(), due.c.written_at > func.now() - GIVE_UP_AFTER)
            .where(~is_behind.exists())
            .order_by(due.c.due_at, due.c.number)
            .limit(1)
            .with_for_update(skip_locked=True, of=due)
        )
        statement = (
            update(table)
            .where(table.c.id == longest.scalar_subquery())
            .values(due_at=func.now() + CLAIM, attempts=table.c.attempts + 1)
            .returning(table)
        )
        with self._database.begin() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        event = Event(
            id=row.id,
            type=row.type,
            version=row.version,
            key=row.key,
            at=row.written_at,
            data=row.data,
        )
        return Claimed(event, row.attempts, row.trace)

    def remove(self, event: Event, settle: Settle | None = None) -> None:
        """Take a confirmed event out, and do in the same transaction what goes with it."""
        with self._database.begin() as connection:
            if settle is not None:
                settle(connection, event)
            connection.execute(delete(self._table).where(self._table.c.id == event.id))

    def put_off(self, claimed: Claimed) -> None:
        """Let a failed event wait, unless it was claimed again meanwhile."""
        pause = timedelta(seconds=pause_seconds(claimed.attempts))
        statement = (
            update(self._table)
            .where(
                self._table.c.id == claimed.event.id,
                self._table.c.attempts == claimed.attempts,
            )
            .values(due_at=func.now() + pause)
        )
        with self._database.begin() as connection:
            connection.execute(statement)

    def depth(self) -> Depth:
        """Count what is there."""
        written_at = self._table.c.written_at
        age = func.extract("epoch", func.now() - func.min(written_at))
        given_up = func.count().filter(written_at <= func.now() - GIVE_UP_AFTER)
        with self._database.connect() as connection:
            found = connection.execute(select(func.count(), age, given_up)).one()
        return Depth(found[0], float(found[1] or 0), found[2])


def pause_seconds(attempts: int) -> float:
    """Return how long to wait after so many attempts: twice as long each time, less up to half, so nobody is in step."""
    doubled = FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 16)
    return min(doubled, LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1)  # noqa: S311 - a die, not a secret


def _context() -> dict[str, str]:
    """Return the headers that tie a delivery to the request that is being answered."""
    trace, request_id = current_trace(), current_request_id()
    context = {"X-Request-Id": request_id} if request_id else {}
    return {**context, **trace.headers()} if trace else context
