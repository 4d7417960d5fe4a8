"""Constraints in two steps: first for what is written from now on, then for what is there.

NOT VALID takes a strong lock for a millisecond; VALIDATE reads the whole table under SHARE UPDATE EXCLUSIVE, which is in no
reader's and no writer's way. In one step the strong lock would last as long as the reading. Old code that breaks
the constraint fails from the first step on: if there is such code, the call belongs to a contract revision.
"""

from __future__ import annotations

from collections.abc import Sequence

from platform_kit.errors import UnsafeChange
from platform_kit.migrations.catalogue import (
    ColumnFacts,
    constraint_is_valid,
    dual_writers,
    existing,
)
from platform_kit.migrations.indexes import build_index
from platform_kit.migrations.work import Work, fitting, listed, quoted, work

BOTH = ("expand", "contract")
KEYS = """
SELECT conname FROM pg_constraint
WHERE conrelid = to_regclass(:table) AND contype = 'p'
  AND (SELECT array_agg(attname::text ORDER BY place)
       FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
       JOIN pg_attribute ON attrelid = conrelid AND attnum = number) {equal} (:columns)::text[]
"""
REFERRERS = """
SELECT conrelid::regclass::text FROM pg_constraint
WHERE confrelid = to_regclass(:table) AND contype = 'f'
"""


def add_check(table: str, name: str, condition: str) -> None:
    """Add a check. Locks: ACCESS EXCLUSIVE for a millisecond, then SHARE UPDATE EXCLUSIVE for a scan."""
    with work("add_check", phases=BOTH) as at:
        check(at, table, name, condition)


def add_foreign_key(
    table: str,
    name: str,
    columns: Sequence[str],
    *,
    refers_to: str,
    referred: Sequence[str] = ("id",),
    on_delete: str | None = None,
) -> None:
    """Add a foreign key. Locks: SHARE ROW EXCLUSIVE on both tables for a millisecond, then SHARE UPDATE
    EXCLUSIVE on the one and ROW SHARE on the other for a scan.
    """
    action = f" ON DELETE {on_delete}" if on_delete else ""
    with work("add_foreign_key", phases=BOTH) as at:
        constrain(
            at,
            table,
            name,
            f"FOREIGN KEY ({listed(columns)}) REFERENCES {quoted(refers_to)} ({listed(referred)}){action}",
        )


def add_unique(table: str, name: str, columns: Sequence[str]) -> None:
    """Add a unique constraint on an index of its name, built concurrently (`create_index`).

    Locks: SHARE UPDATE EXCLUSIVE for two scans, then ACCESS EXCLUSIVE for a millisecond.
    """
    with work("add_unique", phases=BOTH) as at:
        if constraint_is_valid(at, table, name) is None:
            build_index(at, name, f"{quoted(table)} ({listed(columns)})", unique=True)
            at.change(
                table,
                f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} "
                f"UNIQUE USING INDEX {quoted(name)}",
            )


def drop_constraint(table: str, name: str) -> None:
    """Drop a constraint. Lock: ACCESS EXCLUSIVE for a millisecond (a foreign key: on both tables); contract."""
    with work("drop_constraint", phases=("contract",)) as at:
        if constraint_is_valid(at, table, name) is not None or at.dry:
            at.change(
                table, f"ALTER TABLE {quoted(table)} DROP CONSTRAINT IF EXISTS {quoted(name)}"
            )


def set_not_null(table: str, column: str) -> None:
    """Have a column refuse NULL. Locks: ACCESS EXCLUSIVE for a millisecond, three times; between them SHARE
    UPDATE EXCLUSIVE for a scan.

    In an expand revision only where something gives old code's rows a value: a default, or the
    trigger of a dual write. Else `UnsafeChange`: old code would fail.
    """
    with work("set_not_null", phases=BOTH) as at:
        facts = existing(at, table, column)
        if at.step.phase == "expand" and not _is_filled(at, table, column, facts):
            raise UnsafeChange(
                f"old code that leaves {table}.{column} out would fail",
                hint="call set_not_null in a contract revision, or give the column a default",
            )
        refuse_null(at, table, column)


def replace_primary_key(table: str, columns: Sequence[str]) -> None:
    """Make other columns the primary key. Locks: SHARE UPDATE EXCLUSIVE for scans, ACCESS EXCLUSIVE
    for milliseconds; contract.

    The new key has the old one's name. Raises `UnsafeChange` where a foreign key refers to the old one.
    """
    with work("replace_primary_key", phases=("contract",)) as at:
        values = {"table": quoted(table), "columns": list(columns)}
        if at.is_so(KEYS.format(equal="="), **values):
            return
        if referrers := at.ask(REFERRERS, table=quoted(table)):
            raise UnsafeChange(
                f"{referrers[0][0]} refers to the primary key of {table}",
                hint="drop_constraint that foreign key first, add it again on the new key",
            )
        name = next((row[0] for row in at.ask(KEYS.format(equal="<>"), **values)), f"{table}_pkey")
        for each in columns:
            refuse_null(at, table, each)
        index = fitting(f"{name}_next")
        build_index(at, index, f"{quoted(table)} ({listed(columns)})", unique=True)
        at.change(
            table,
            f"ALTER TABLE {quoted(table)} DROP CONSTRAINT {quoted(name)}, "
            f"ADD CONSTRAINT {quoted(name)} PRIMARY KEY USING INDEX {quoted(index)}",
        )


def check(at: Work, table: str, name: str, condition: str) -> None:
    """Have a validated check of that name."""
    constrain(at, table, name, f"CHECK ({condition})")


def constrain(at: Work, table: str, name: str, definition: str) -> None:
    """Have a validated constraint of that name."""
    fitting(name)
    valid = constraint_is_valid(at, table, name)
    if valid is None:
        at.change(
            table,
            f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} {definition} NOT VALID",
        )
    if not valid:
        at.make(f"ALTER TABLE {quoted(table)} VALIDATE CONSTRAINT {quoted(name)}")


def refuse_null(at: Work, table: str, name: str) -> None:
    """Have the column NOT NULL, by way of a check that was validated before the strong lock is taken."""
    proof = fitting(f"{table}_{name}_is_set")
    if not existing(at, table, name).not_null:
        check(at, table, proof, f"{quoted(name)} IS NOT NULL")
        at.change(table, f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)} SET NOT NULL")
    if constraint_is_valid(at, table, proof) is not None or at.dry:
        at.change(table, f"ALTER TABLE {quoted(table)} DROP CONSTRAINT {quoted(proof)}")


def _is_filled(at: Work, table: str, name: str, facts: ColumnFacts) -> bool:
    if at.dry or facts.not_null or facts.default is not None or facts.identity:
        return True
    return any(name in writer.new for writer in dual_writers(at, table))
