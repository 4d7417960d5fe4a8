"""Questions to PostgreSQL's catalogue. Each names what it is about in the search path's first schema that has it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from platform_kit.errors import UnsafeChange
from platform_kit.migrations.work import Work, quoted

RELATION = "SELECT 1 FROM pg_class WHERE oid = to_regclass(:name) AND relkind = ANY (:kinds)"
COLUMN = """
SELECT format_type(atttypid, atttypmod) AS type, attnotnull AS not_null,
       pg_get_expr(adbin, adrelid) AS default, attidentity <> '' AS identity,
       pg_get_serial_sequence(:table, attname) AS sequence
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = to_regclass(:table) AND attname = :column AND NOT attisdropped
"""
CONSTRAINT = """
SELECT convalidated AS valid FROM pg_constraint
WHERE conrelid = to_regclass(:table) AND conname = :name
"""
INDEX = """
SELECT indisvalid AND indisready AS valid FROM pg_index WHERE indexrelid = to_regclass(:name)
"""
TRIGGER = "SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :name"
# The prefix is no pattern here: `_` would match anything.
DUAL_WRITERS = """
SELECT tgname, obj_description(oid, 'pg_trigger') FROM pg_trigger
WHERE tgrelid = to_regclass(:table) AND starts_with(tgname::text, 'dual_write_')
ORDER BY tgname
"""
KEY = """
SELECT attname, format_type(atttypid, atttypmod)
FROM pg_index, unnest(indkey) WITH ORDINALITY AS key (number, place)
JOIN pg_attribute ON attnum = number
WHERE indrelid = to_regclass(:table) AND indisprimary AND attrelid = indrelid ORDER BY place
"""
ESTIMATE = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(:table)"


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column as it is."""

    type: str
    not_null: bool
    default: str | None
    identity: bool
    sequence: str | None  # that it owns: an identity's, a serial's


@dataclass(frozen=True, slots=True)
class DualWriter:
    """A trigger that keeps old and new columns the same, as its comment says."""

    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]


def dual_writers(work: Work, table: str) -> list[DualWriter]:
    """Return the triggers of dual writes that are open on a table."""
    rows = [(name, json.loads(says)) for name, says in work.ask(DUAL_WRITERS, table=quoted(table))]
    return [DualWriter(name, tuple(says["old"]), tuple(says["new"])) for name, says in rows]


def has_table(work: Work, table: str) -> bool:
    """Whether there is such a table (no view)."""
    return work.is_so(RELATION, name=quoted(table), kinds=["r", "p"])


def has_view(work: Work, view: str) -> bool:
    """Whether there is such a view."""
    return work.is_so(RELATION, name=quoted(view), kinds=["v"])


def column(work: Work, table: str, name: str) -> ColumnFacts | None:
    """Return what a column is, None when there is none."""
    for row in work.ask(COLUMN, table=quoted(table), column=name):
        return ColumnFacts(row.type, row.not_null, row.default, row.identity, row.sequence)
    return None


def existing(work: Work, table: str, name: str) -> ColumnFacts:
    """Return what a column is; raise `UnsafeChange` when there is none."""
    found = column(work, table, name)
    if found is None and work.dry:  # an earlier step makes it
        return ColumnFacts("text", not_null=False, default=None, identity=False, sequence=None)
    if found is None:
        raise UnsafeChange(f"there is no column {table}.{name}", hint="correct the name")
    return found


def constraint_is_valid(work: Work, table: str, name: str) -> bool | None:
    """Whether a constraint has been validated; None when there is none."""
    rows = work.ask(CONSTRAINT, table=quoted(table), name=name)
    return bool(rows[0].valid) if rows else None


def index_is_valid(work: Work, name: str) -> bool | None:
    """Whether an index is complete; None when there is none."""
    rows = work.ask(INDEX, name=quoted(name))
    return bool(rows[0].valid) if rows else None


def has_trigger(work: Work, table: str, name: str) -> bool:
    """Whether the table has the trigger."""
    return work.is_so(TRIGGER, table=quoted(table), name=name)


def primary_key(work: Work, table: str) -> tuple[tuple[str, str], ...]:
    """Return the columns of the primary key with their types; raise `UnsafeChange` without one."""
    key = tuple((row[0], row[1]) for row in work.ask(KEY, table=quoted(table)))
    if not key and work.dry:  # an earlier step makes the table
        return (("id", "bigint"),)
    if not key:
        raise UnsafeChange(
            f"{table} has no primary key to go along", hint="give the table one first"
        )
    return key


def estimated_rows(work: Work, table: str) -> int:
    """Return how many rows the planner believes there are."""
    rows = work.ask(ESTIMATE, table=quoted(table))
    return int(rows[0][0]) if rows else 0
