"""Columns that old code does not know of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.schema import CreateColumn

from platform_kit.errors import UnsafeChange
from platform_kit.migrations.catalogue import column as find
from platform_kit.migrations.work import DIALECT, Work, execute, quoted, work

REWRITTEN = "SELECT pg_relation_filenode('pg_temp.rehearsal')"


def add_column(table: str, column: Column[Any]) -> None:
    """Add a column: nullable, or with a default that is kept in the catalogue. Lock: ACCESS EXCLUSIVE for
    a millisecond; expand.

    The definition is tried on an empty table first: raises `UnsafeChange` where it would rewrite the table, and for
    what belongs into a step of its own (a key, an index, NOT NULL without a default).
    """
    with work("add_column", phases=("expand",)) as at:
        definition = _definition(table, column)
        if find(at, table, column.name) is None:
            _rehearse(at, table, column.name, definition)
            at.change(table, f"ALTER TABLE {quoted(table)} ADD COLUMN IF NOT EXISTS {definition}")


def undo_add_column(table: str, name: str) -> None:
    """Drop a column that an expand revision added, with what it has. Lock: ACCESS EXCLUSIVE for a
    millisecond; for `downgrade`.
    """
    with work("undo_add_column", phases=()) as at:
        at.change(table, f"ALTER TABLE {quoted(table)} DROP COLUMN IF EXISTS {quoted(name)}")


def _definition(table: str, column: Column[Any]) -> str:
    name = f"{table}.{column.name}"
    if column.computed is not None or column.identity is not None:
        raise UnsafeChange(
            f"{name}: its value differs from row to row, so the whole table would be rewritten",
            hint="add it without, then backfill",
        )
    if column.primary_key or column.unique or column.index:
        raise UnsafeChange(
            f"{name}: a key or an index is built while nobody can read",
            hint="add the column, then add_unique or create_index",
        )
    if column.foreign_keys:
        raise UnsafeChange(
            f"{name}: a foreign key is checked while nobody can write",
            hint="add the column, then add_foreign_key",
        )
    if not column.nullable and column.server_default is None:
        raise UnsafeChange(
            f"{name}: NOT NULL without a default fails old code's inserts",
            hint="give it a server_default, or add it nullable, backfill, then set_not_null",
        )
    copy = column._copy()  # noqa: SLF001 - as Alembic does: a column belongs to one table
    Table(table, MetaData(), copy)
    return str(CreateColumn(copy).compile(dialect=DIALECT))


def _rehearse(at: Work, table: str, name: str, definition: str) -> None:
    """Add the column to an empty table, and see whether PostgreSQL makes a new file for it."""
    if at.dry:
        return
    with at.connection.begin() as trial:
        execute(at.connection, "CREATE TEMP TABLE rehearsal (id int) ON COMMIT DROP")
        before = at.connection.exec_driver_sql(REWRITTEN).scalar_one()
        execute(at.connection, f"ALTER TABLE pg_temp.rehearsal ADD COLUMN {definition}")
        after = at.connection.exec_driver_sql(REWRITTEN).scalar_one()
        trial.rollback()
    if before != after:
        raise UnsafeChange(
            f"{table}.{name}: its value differs from row to row, so the whole table would be rewritten",
            hint="add it without a default, then backfill",
        )
