"""Writes to every table of a service, as the tables of its code are, and reads it all back.

    python writing.py SERVICE URL SECONDS NUMBER

Run by the interpreter of a release, one process for the older and one for the newer, on one database at once. Each
has a number of its own, so no two write the same key. What the other wrote is read as well: a column
that this code takes for filled has to be. Prints one JSON object: how many rows were written, and
which tables were left out because a check refuses values that mean nothing. Ends with 1, and a word, at the first
statement that fails or row that is not as it was written.
"""

from __future__ import annotations

import json
import random
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Enum,
    MetaData,
    Table,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

BLOCK = 100_000_000  # of numbers, a writer
PAGE = 20  # rows that are read at a time
CHECK_VIOLATION = "23514"

Row = dict[str, Any]


class Writer:
    """One release's code, as far as its tables go."""

    def __init__(self, metadata: MetaData, engine: Engine, *, number: int) -> None:
        self._tables = metadata.sorted_tables
        self._engine = engine
        self._numbers = count(number * BLOCK)
        self._choose = random.Random(number)  # noqa: S311  # which row, which column: no secret
        self._rows: dict[str, dict[tuple[Any, ...], Row]] = defaultdict(dict)
        self.left_out: dict[str, str] = {}

    @property
    def wrote(self) -> int:
        """How many rows there are of this writer."""
        return sum(len(rows) for rows in self._rows.values())

    def write(self, seconds: float) -> None:
        """Insert, change and read until the time is over; every table at least once."""
        deadline = time.monotonic() + seconds
        while True:
            for table in self._tables:
                if table.name not in self.left_out:
                    self._turn(table)
            if time.monotonic() > deadline:
                return

    def verify(self) -> None:
        """See that each row is as it was written last."""
        with self._engine.connect() as connection:
            for table in self._tables:
                for key, written in self._rows[table.name].items():
                    found = (
                        connection.execute(select(table).where(*_is(table, key))).mappings().one()
                    )
                    for name, value in written.items():
                        if found[name] != value:
                            message = (
                                f"{table.name}.{name} of {key} was {value!r}, is {found[name]!r}"
                            )
                            raise AssertionError(message)

    def _turn(self, table: Table) -> None:
        try:
            with self._engine.begin() as connection:
                self._insert(connection, table)
        except IntegrityError as refused:
            if getattr(refused.orig, "sqlstate", "") != CHECK_VIOLATION:
                raise
            self.left_out[table.name] = str(refused.orig).splitlines()[0]
            return
        with self._engine.begin() as connection:
            self._change(connection, table)
        with self._engine.connect() as connection:
            self._look(connection, table)

    def _insert(self, connection: Connection, table: Table) -> None:
        values: Row = {}
        for column in table.columns:
            if column.foreign_keys:
                known = self._parents(column)
                if not known:
                    return  # its table was left out
                values[column.key] = self._choose.choice(known)
            elif column.server_default is None and (
                not column.nullable or self._choose.random() < 0.5
            ):
                values[column.key] = self._value(column)
        keys = list(table.primary_key.columns)
        if tuple(values.get(column.key) for column in keys) in self._rows[table.name]:
            return  # of two parents that have been joined before
        made = connection.execute(insert(table).values(values).returning(*keys)).one()
        self._rows[table.name][tuple(made)] = values

    def _change(self, connection: Connection, table: Table) -> None:
        rows = self._rows[table.name]
        plain = [
            c for c in table.columns if not (c.primary_key or c.foreign_keys or c.server_default)
        ]
        if not rows or not plain:
            return
        key, column = self._choose.choice(list(rows)), self._choose.choice(plain)
        value = self._value(column)
        connection.execute(update(table).where(*_is(table, key)).values({column.key: value}))
        rows[key][column.key] = value

    def _look(self, connection: Connection, table: Table) -> None:
        newest = [column.desc() for column in table.primary_key.columns]
        for row in connection.execute(select(table).order_by(*newest).limit(PAGE)).mappings():
            for column in table.columns:
                if row[column.key] is None and not column.nullable:
                    message = (
                        f"{table.name}.{column.name} is NULL, and this code never expects that"
                    )
                    raise AssertionError(message)

    def _parents(self, column: Column[Any]) -> list[Any]:
        """Return the values of our own rows that a foreign key may have."""
        (refers,) = column.foreign_keys
        parent = refers.column
        position = list(parent.table.primary_key.columns).index(parent)
        return [key[position] for key in self._rows[parent.table.name]]

    def _value(self, column: Column[Any]) -> object:
        """Return a value of a column's type that no other row has, of a closed set any of its own."""
        if isinstance(column.type, Enum):
            return self._choose.choice(column.type.enums)
        makers: Mapping[type, Callable[[], object]] = {
            str: lambda: f"{secrets.token_hex(4)} {secrets.token_hex(4)}",
            int: lambda: next(self._numbers),
            Decimal: lambda: Decimal(self._choose.randrange(1, 100_000)) / 100,
            UUID: uuid4,
            datetime: lambda: datetime.now(UTC),
            bytes: lambda: secrets.token_bytes(8),
            bool: lambda: self._choose.random() < 0.5,
            dict: dict,
            object: dict,  # JSON's, from SQLAlchemy 2.1 on
        }
        return makers[column.type.python_type]()


def _is(table: Table, key: tuple[Any, ...]) -> list[Any]:
    return [column == value for column, value in zip(table.primary_key.columns, key, strict=True)]


def main(service: str, url: str, seconds: str, number: str) -> None:
    """Write, verify, and say how much that was."""
    metadata = import_module(f"{service}.tables").metadata
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    writer = Writer(metadata, engine, number=int(number))
    try:
        writer.write(float(seconds))
        writer.verify()
    except DBAPIError as error:
        raise SystemExit(f"{str(error.orig).splitlines()[0]} ({error.statement})") from error
    finally:
        engine.dispose()
    sys.stdout.write(json.dumps({"wrote": writer.wrote, "left_out": writer.left_out}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
