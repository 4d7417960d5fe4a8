"""A producer and a consumer in one database: two tables of the kit's, and one in which effects are counted."""

from __future__ import annotations

from collections import deque
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text
from sqlalchemy.dialects import postgresql

from platform_kit import ServiceUnreachable
from platform_kit.events import Inbox, inbox_table, outbox_table

metadata = MetaData()
outbox = outbox_table(metadata)
inbox = inbox_table(metadata)
# Nothing keeps a row from being counted twice but the inbox.
effects = Table(
    "effects", metadata, Column("name", Text, primary_key=True), Column("times", Integer)
)


class Line:
    """Delivers to an inbox; `faults` are used up by one delivery each.

    - a number: answered so, and the inbox is not asked
    - "dropped": no answer, and the inbox is not asked
    - "lost": the inbox is asked, and there is no answer
    - a function: it is called before the inbox is asked
    """

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.faults: deque[Any] = deque()
        self.poison: set[str] = set()
        self.sent: list[Any] = []

    def __call__(self, claimed: Any) -> int:
        self.sent.append(claimed)
        if claimed.event.key in self.poison:
            return 422
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, int):
            return fault
        if fault == "dropped":
            raise ServiceUnreachable("product", cause="dropped")
        if callable(fault):
            fault()
        self.inbox.take(claimed.event)
        if fault == "lost":
            raise ServiceUnreachable("product", cause="lost")
        return 200

    def keys(self) -> list[str]:
        """The keys of what was sent, in its order."""
        return [claimed.event.key for claimed in self.sent]


def count(connection: Any, event: Any) -> None:
    """Count an effect: not idempotent."""
    statement = postgresql.insert(effects).values(name=event.data["name"], times=1)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"times": effects.c.times + 1}
        )
    )
