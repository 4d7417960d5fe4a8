"""Somebody who writes to a service's tables while its schema changes: one row at a time, all tables in turn.

The locks of a change are then taken where others hold some, and how long a write took at most is told.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import Self

import psycopg
from psycopg import errors, sql

from deployer.migrations.catalogue import Table, read_tables

EVERY_SECONDS = 0.01  # light: what is measured is the change, not a contest with it
KNOWN_ROWS = 200
# A contract takes away what old code wrote to, and there is no old code then.
GONE = (errors.UndefinedTable, errors.UndefinedColumn)


@dataclass(frozen=True, slots=True)
class _Known:
    """Some rows of a table: by which columns they are found, and one that can be written."""

    key: tuple[str, ...]
    written: str
    rows: tuple[tuple[object, ...], ...]

    def update(self, table: str) -> sql.Composed:
        """Return what writes a row as it is."""
        written = sql.Identifier(self.written)
        same = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(k)) for k in self.key)
        statement = sql.SQL("UPDATE {} SET {} = {} WHERE {}")
        return statement.format(sql.Identifier(table), written, written, same)


class Bystander:
    """Writes until the end of the block. `slowest_seconds` is the longest that a write took, `refused` why one failed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._choose = random.Random(1)  # noqa: S311  # which row: no secret
        self.writes = 0
        self.slowest_seconds = 0.0
        self.refused: str | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            rows = _known(connection)
            while rows and not self._stop.wait(EVERY_SECONDS):
                table = self._choose.choice(list(rows))
                try:
                    self._touch(connection, table, rows[table])
                except GONE:
                    del rows[table]
                except psycopg.Error as error:
                    self.refused = f"{table}: {str(error).splitlines()[0]}"
                    return

    def _touch(self, connection: psycopg.Connection, table: str, known: _Known) -> None:
        """Write a row as it is: also that locks it, and calls the triggers."""
        began = time.perf_counter()
        connection.execute(known.update(table), self._choose.choice(known.rows))
        self.slowest_seconds = max(self.slowest_seconds, time.perf_counter() - began)
        self.writes += 1


def _known(connection: psycopg.Connection) -> dict[str, _Known]:
    """Return some rows of each table that has any, and a key."""
    found = {table.name: _rows(connection, table) for table in read_tables(connection)}
    return {name: known for name, known in found.items() if known is not None}


def _rows(connection: psycopg.Connection, table: Table) -> _Known | None:
    key = table.uniques[0] if table.uniques else ()
    written = [column.name for column in table.columns if not column.made]
    if not key or not written:
        return None
    names = sql.SQL(", ").join(map(sql.Identifier, key))
    question = sql.SQL("SELECT {} FROM {} LIMIT {}")
    asked = question.format(names, sql.Identifier(table.name), KNOWN_ROWS)
    rows = connection.execute(asked).fetchall()
    # The last one: keys, which others refer to, come first.
    return _Known(key, written[-1], tuple(rows)) if rows else None
