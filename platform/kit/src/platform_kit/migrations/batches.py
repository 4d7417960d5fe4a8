"""Rows changed in batches along the primary key, each its own transaction, while others write.

How far it is, is written in the batch's transaction: killed anywhere, the next run goes on there and does no row twice.
At the end the table is asked whether a row is left; only then does the helper that called make its constraint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from platform_kit.errors import BackfillIncomplete
from platform_kit.migrations.bookkeeping import backfills
from platform_kit.migrations.catalogue import estimated_rows, primary_key
from platform_kit.migrations.events import Progress
from platform_kit.migrations.probe import Probe
from platform_kit.migrations.throttle import WRITER_SECONDS, Throttle
from platform_kit.migrations.work import Work, quoted, work

# Code that goes on writing such rows would keep it busy for ever.
PASSES = 3
# In an action, where the key's columns of `keys` and `changing` are compared.
SAME = "<the same key>"


def backfill(
    table: str,
    values: Mapping[str, str],
    *,
    where: str,
    writer_seconds: float = WRITER_SECONDS,
) -> None:
    """Set columns, given as SQL expressions, in all rows with `where`, which must be false afterwards.

    Lock: ROW EXCLUSIVE, and the rows of a batch for about half of `writer_seconds`; expand or contract.
    """
    with work("backfill", phases=("expand", "contract")) as at:
        fill(at, table, values, where=where, writer_seconds=writer_seconds)


def fill(
    at: Work,
    table: str,
    values: Mapping[str, str],
    *,
    where: str,
    writer_seconds: float = WRITER_SECONDS,
) -> None:
    """Set columns in batches until no row with `where` is left."""
    assigned = ", ".join(f"{quoted(name)} = {value}" for name, value in values.items())
    statement = f"UPDATE {quoted(table)} AS changing SET {assigned}"  # noqa: S608
    batches = Batches(
        name=f"{at.step.revision}: {table} ({', '.join(values)})",
        table=table,
        action=f"{statement} FROM keys WHERE {SAME} AND ({where}) RETURNING 1",
    )
    at.note(f"{statement} WHERE {where}")
    go_along(at, batches, left=where, writer_seconds=writer_seconds)


@dataclass(frozen=True, slots=True)
class Batches:
    """What is done to a table's rows. `action` changes those of `keys`, with `SAME` for the
    comparison of their key.
    """

    name: str
    table: str
    action: str


def go_along(at: Work, batches: Batches, *, left: str, writer_seconds: float) -> None:
    """Do the batches, and do them again while rows with `left` are there; raise `BackfillIncomplete`."""
    if at.dry:
        return
    remaining = f"SELECT 1 FROM {quoted(batches.table)} AS changing WHERE {left} LIMIT 1"  # noqa: S608
    for _ in range(PASSES):
        _pass(at, batches, Throttle(writer_seconds))
        if not _any(at, remaining):
            return
        _begin_anew(at, batches)
    raise BackfillIncomplete(batches.table, condition=left, passes=PASSES)


def _pass(at: Work, batches: Batches, throttle: Throttle) -> None:
    journal = _Journal.open(at, batches.name)
    if journal.finished:
        return
    key = primary_key(at, batches.table)
    progress = Progress(batches.table, rows=estimated_rows(at, batches.table), done=journal.rows)
    with Probe(at.guard.database_url) as probe:
        while True:
            began, size = time.perf_counter(), throttle.size
            seen = at.guard.insist(_batch(at, batches, key, journal, throttle))
            took = time.perf_counter() - began
            progress.advance(seen, batch=size)
            if journal.finished:
                break
            throttle.observe(took, rows=seen, write_seconds=probe.write_seconds())
            time.sleep(throttle.pause_seconds)
    progress.finish()


def _batch(
    at: Work,
    batches: Batches,
    key: tuple[tuple[str, str], ...],
    journal: _Journal,
    throttle: Throttle,
) -> Callable[[], int]:
    """Return what does one batch and writes down how far it came, in one transaction."""
    connection = at.connection

    def once() -> int:
        asked = throttle.size
        statement = _statement(batches, key, begun=journal.position is not None)
        values = {f"key_{place}": value for place, value in enumerate(journal.position or ())}
        try:
            with connection.begin():
                row = connection.exec_driver_sql(statement, {**values, "size": asked}).one()
                seen, last = int(row.seen), row.last
                journal.write(connection, seen, last, finished=seen < asked)
        except DBAPIError:
            throttle.stumble()
            raise
        journal.advance(seen, last, finished=seen < asked)
        return seen

    return once


def _statement(batches: Batches, key: tuple[tuple[str, str], ...], *, begun: bool) -> str:
    named = [(quoted(name), f"key_{place}", kind) for place, (name, kind) in enumerate(key)]
    names = ", ".join(name for name, _, _ in named)
    aliases = ", ".join(f"{name} AS {alias}" for name, alias, _ in named)
    bounds = ", ".join(f"CAST(%({alias})s AS {kind})" for _, alias, kind in named)
    after = f"WHERE ({names}) > ({bounds})" if begun else ""
    same = " AND ".join(f"changing.{name} = {alias}" for name, alias, _ in named)
    last = ", ".join(f"{alias}::text" for _, alias, _ in named)
    down = ", ".join(f"{alias} DESC" for _, alias, _ in named)
    action = batches.action.replace(SAME, same).replace("%", "%%")
    return (
        f"WITH keys AS MATERIALIZED (SELECT {aliases} FROM {quoted(batches.table)} {after} "  # noqa: S608
        f"ORDER BY {names} LIMIT %(size)s), changed AS ({action}) "
        "SELECT (SELECT count(*) FROM keys) AS seen, (SELECT count(*) FROM changed) AS changed, "
        f"(SELECT jsonb_build_array({last}) FROM keys ORDER BY {down} LIMIT 1) AS last"
    )


class _Journal:
    """How far a backfill is: as it is written in the database, and in a run's memory after the commit."""

    def __init__(self, name: str, position: list[str] | None, rows: int, *, finished: bool) -> None:
        self.name = name
        self.position = position
        self.rows = rows
        self.finished = finished

    @classmethod
    def open(cls, at: Work, name: str) -> _Journal:
        connection = at.connection
        new = insert(backfills).values(name=name, revision=at.step.revision)
        mine = select(backfills).where(backfills.c.name == name)

        def once() -> _Journal:
            with connection.begin():
                connection.execute(new.on_conflict_do_nothing())
                row = connection.execute(mine).one()
                return cls(name, row.position, row.rows, finished=row.finished_at is not None)

        return at.guard.insist(once)

    def write(
        self, connection: Connection, seen: int, last: list[str] | None, *, finished: bool
    ) -> None:
        values = {
            "rows": self.rows + seen,
            "position": last or self.position,
            "finished_at": datetime.now(UTC) if finished else None,
        }
        connection.execute(update(backfills).where(backfills.c.name == self.name).values(values))

    def advance(self, seen: int, last: list[str] | None, *, finished: bool) -> None:
        self.rows += seen
        self.position = last or self.position
        self.finished = finished


def _begin_anew(at: Work, batches: Batches) -> None:
    again = update(backfills).where(backfills.c.name == batches.name)
    with at.connection.begin():
        at.connection.execute(again.values(position=None, finished_at=None))


def _any(at: Work, question: str) -> bool:
    with at.connection.begin():
        found = at.connection.execution_options(no_parameters=True).exec_driver_sql(question)
        return found.first() is not None
