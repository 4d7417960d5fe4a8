"""Fills the tables of a scratch database with rows that fulfil their constraints, one INSERT a table.

Which expressions a table's checks let through is tried on a sample, by PostgreSQL. Where a constraint is
beyond that, the service says how a column is made: `[tool.deployer.migrations.generators.TABLE]`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

import psycopg
from psycopg import errors, sql

from deployer.errors import OperationError
from deployer.migrations.catalogue import Check, Column, Reference, Table, read_tables
from deployer.migrations.generators import Generator, generators

SAMPLE = 2_000  # rows that the checks are tried on, beside the last one
TRIES = 2_000  # of combinations, where one check reads several columns: some seconds
INTEGERS = ("int2", "int4", "int8")
NUMBERS = (*INTEGERS, "numeric", "float4", "float8")

Size = Callable[[str], int]
Overrides = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Filled:
    """A table with its generated rows; `wanted` is more where its keys allow no more."""

    table: str
    rows: int
    wanted: int
    seconds: float


@dataclass(slots=True)
class _Choice:
    """What a table is filled by: an expression a column, and a parent's row a reference."""

    rows: int
    columns: dict[str, str] = field(default_factory=dict)
    parents: dict[Reference, str] = field(default_factory=dict)


def fill(connection: psycopg.Connection, size: Size, overrides: Overrides) -> tuple[Filled, ...]:
    """Fill all tables, parents first, and let PostgreSQL count them; the connection commits by itself.

    Raises OperationError `rows-not-generated` with the table, the reason and what to declare.
    """
    counts: dict[str, int] = {}
    filled = []
    for table in read_tables(connection):
        began, wanted = time.monotonic(), size(table.name)
        filler = _Filler(connection, table, counts, overrides.get(table.name, {}))
        counts[table.name] = filler.fill(wanted)
        seconds = round(time.monotonic() - began, 1)
        filled.append(Filled(table.name, counts[table.name], wanted, seconds))
    connection.execute("VACUUM ANALYZE")  # as autovacuum has long done where these are real
    return tuple(filled)


@dataclass(slots=True)
class _Filler:
    """One table. `counts` has the rows of those before it."""

    connection: psycopg.Connection
    table: Table
    counts: Mapping[str, int]
    overrides: Mapping[str, str]
    all_differ: bool = False

    def fill(self, wanted: int) -> int:
        """Insert so many rows, or as many as the keys allow, and return how many."""
        choice = _Choice(int(min(wanted, self._capacity())))
        if choice.rows == 0:
            return 0
        self._refer(choice)
        try:
            self._insert(choice)
        except errors.UniqueViolation:
            # A trigger makes a key of another column, as a dual write does: all are to differ then.
            self.all_differ = True
            self._insert(choice)
        return choice.rows

    def _insert(self, choice: _Choice) -> None:
        self._choose(choice)
        try:
            self.connection.execute(self._statement(choice).encode())
        except psycopg.Error as error:
            if isinstance(error, errors.UniqueViolation) and not self.all_differ:
                raise
            raise self._refused(str(error).splitlines()[0]) from error

    # Keys

    def _followed(self) -> list[Reference]:
        """Return the references that get a parent's key: to other tables, which have rows or have to."""
        return [
            each
            for each in self.table.references
            if not set(each.columns) & set(self.overrides)
            and each.parent != self.table.name
            and (self.counts.get(each.parent) or not self._may_be_null(each))
        ]

    def _may_be_null(self, reference: Reference) -> bool:
        return not all(c.not_null for c in self.table.columns if c.name in reference.columns)

    def _inside(self, unique: Sequence[str]) -> list[Reference]:
        """Return the references that a unique key is made of, none where it has a column of its own."""
        referring = {name for each in self._followed() for name in each.columns}
        if not set(unique) <= referring:
            return []
        return [each for each in self._followed() if set(each.columns) & set(unique)]

    def _capacity(self) -> float:
        """Return for how many rows there are parents, and keys that consist of parents' keys only."""
        parents = [math.inf if self.counts.get(each.parent) else 0 for each in self._followed()]
        keys = [
            math.prod(self.counts.get(each.parent, 0) for each in inside)
            for unique in self.table.uniques
            if (inside := self._inside(unique))
        ]
        return min((math.inf, *parents, *keys))

    def _refer(self, choice: _Choice) -> None:
        """Choose a parent's row for each row: in turn, and so that each pair that is a key comes once."""
        for unique in self.table.uniques:
            step, turn = 1, ""
            for each in self._inside(unique):
                count = self.counts[each.parent]
                choice.parents.setdefault(each, f"1 + ((n - 1) / {step}{turn}) % {count}")
                step, turn = step * count, turn or f" + (n - 1) % {count}"
        for each in self._followed():
            choice.parents.setdefault(each, f"1 + (n - 1) % {self.counts[each.parent]}")

    # Values

    def _choose(self, choice: _Choice) -> None:
        followed = {name for each in choice.parents for name in each.columns}
        own = self._own_parents()
        free = [c for c in self.table.columns if c.name not in followed and c.name not in own]
        names = {column.name for column in free}
        checks = [check for check in self.table.checks if set(check.columns) <= names]
        telling = self._telling(followed)
        for group in _groups(free, checks):
            choice.columns |= self._group(group, checks, telling, choice.rows)
        for name, key in own.items():
            if key not in choice.columns:
                raise self._refused(f"{name} refers to {key}, which PostgreSQL itself makes")
            choice.columns[name] = choice.columns[key]

    def _own_parents(self) -> dict[str, str]:
        """Return the columns that refer to the table itself and must not be NULL: a row is its own parent."""
        return {
            name: key
            for each in self.table.references
            if each.parent == self.table.name and not self._may_be_null(each)
            for name, key in zip(each.columns, each.parent_columns, strict=True)
            if name not in self.overrides
        }

    def _telling(self, followed: set[str]) -> set[str]:
        """Return the columns that have to tell all rows apart: one a unique key, of those that can."""
        telling: set[str] = set()
        for unique in self.table.uniques:
            if telling.isdisjoint(unique):
                able = (name for name in unique if name not in followed and self._tells(name))
                telling.update(islice(able, 1))
        return telling

    def _tells(self, name: str) -> bool:
        column = next(each for each in self.table.columns if each.name == name)
        return column.left_out or any(each.distinct for each in generators(column, (), rows=1))

    def _group(
        self, group: list[Column], checks: list[Check], telling: set[str], rows: int
    ) -> dict[str, str]:
        """Return an expression a column, such that the checks on them hold; none for what makes itself."""
        tried = [self._alternatives(column, telling, rows) for column in group]
        named = {column.name for column in group}
        wanted = [check for check in checks if set(check.columns) <= named]
        why = ""
        for chosen in islice(product(*tried), TRIES):
            found = {column.name: each.sql for column, each in zip(group, chosen, strict=True)}
            why = self._broken(group, found, wanted, rows)
            if not why:
                left_out = {c.name for c in group if c.left_out and c.name not in self.overrides}
                return {name: each for name, each in found.items() if name not in left_out}
        raise self._refused(why or f"{', '.join(sorted(named))}: nothing is known to fill it with")

    def _alternatives(self, column: Column, telling: set[str], rows: int) -> tuple[Generator, ...]:
        if column.name in self.overrides:
            return (Generator(self.overrides[column.name], distinct=True),)
        if column.left_out:
            return (Generator("n" if column.base in INTEGERS else "NULL"),)
        if any(column.name in each.columns for each in self.table.references):
            return (Generator("NULL"),)  # of a parent that has no rows, or not yet
        found = generators(column, self.table.checks, rows=rows)
        if column.name in telling:
            return (*self._line_numbers(column), *(each for each in found if each.distinct))
        if self.all_differ:
            return found
        # Numbers are mostly amounts, of which there are few; no two times or names are the same.
        return tuple(sorted(found, key=lambda each: each.distinct and column.base in NUMBERS))

    def _line_numbers(self, column: Column) -> Iterator[Generator]:
        """Yield what counts the rows of one parent, where only together with that they are a key."""
        keys = [unique for unique in self.table.uniques if column.name in unique]
        if len(keys) != 1 or column.base not in INTEGERS:
            return
        for each in self._followed():
            if set(each.columns) < set(keys[0]) and not any(map(self._inside, self.table.uniques)):
                yield Generator(f"1 + (n - 1) / {self.counts[each.parent]}", distinct=True)

    def _broken(
        self, group: list[Column], chosen: Mapping[str, str], checks: list[Check], rows: int
    ) -> str:
        """Return why a choice does not do, nothing when it does."""
        values = ", ".join(_value(column, chosen[column.name]) for column in group)
        holds = " AND ".join(f"({check.sql}) IS NOT FALSE" for check in checks) or "true"
        # Counted, so that PostgreSQL does make each: a domain or a type may refuse it.
        made = ", ".join(f"count({_quoted(column.name)})" for column in group)
        question = (
            f"SELECT bool_and({holds}), {made} FROM (SELECT {values} FROM"  # noqa: S608  # a service's own
            f" (SELECT generate_series(1, {min(rows, SAMPLE)}::int8) UNION ALL SELECT {rows}::int8)"
            " AS numbers(n)) AS rows"
        )
        try:
            row = self.connection.execute(question.encode()).fetchone()
        except psycopg.Error as error:
            return str(error).splitlines()[0]
        return "" if row and row[0] else f"not every row would fulfil {holds}"

    def _statement(self, choice: _Choice) -> str:
        types = {column.name: column for column in self.table.columns}
        values = {name: _value(types[name], each) for name, each in choice.columns.items()}
        joins = []
        for number, (reference, place) in enumerate(choice.parents.items()):
            alias, keys = f"parent_{number}", [_quoted(each) for each in reference.parent_columns]
            for name, key in zip(reference.columns, keys, strict=True):
                values.setdefault(name, f"{alias}.{key}")
            joins.append(
                f"JOIN (SELECT {', '.join(keys)}, row_number() OVER () AS place"  # noqa: S608  # of the catalogue
                f" FROM {_quoted(reference.parent)}) AS {alias} ON {alias}.place = {place}"
            )
        columns = f"({', '.join(map(_quoted, values))})" if values else ""
        rows = f"generate_series(1, {choice.rows}::int8) AS numbers(n) {' '.join(joins)}"
        return (
            f"INSERT INTO {_quoted(self.table.name)} {columns} OVERRIDING SYSTEM VALUE"  # noqa: S608  # same
            f" SELECT {', '.join(values.values())} FROM {rows}"
        )

    def _refused(self, why: str) -> OperationError:
        return OperationError(
            "rows-not-generated",
            f"no rows could be made for {self.table.name}: {why}",
            hint="say how a column is made, in SQL with the row's number n, in the service's pyproject.toml:"
            f" [tool.deployer.migrations.generators.{self.table.name}]",
        )


def _groups(columns: list[Column], checks: list[Check]) -> list[list[Column]]:
    """Return the columns in groups that no check reads across."""
    groups = [{column.name} for column in columns]
    for check in checks:
        touched = [group for group in groups if group & set(check.columns)]
        if touched:
            groups = [group for group in groups if group not in touched]
            groups.append(set().union(*touched))
    return [[column for column in columns if column.name in group] for group in groups]


def _value(column: Column, expression: str) -> str:
    return f"({expression})::{column.type} AS {_quoted(column.name)}"


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
