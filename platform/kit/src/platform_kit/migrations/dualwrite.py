"""Old and new columns kept the same by a trigger, while old code writes the ones and new code the others.

The trigger runs before the row is written and only changes that row, so it cannot call itself. What was
changed decides: the new columns, if they were (or both were), else the old ones. A conversion there and back that is not
exact (a name in two parts) is never applied to what somebody wrote, only to the columns he did not write.

    expand    add the new columns, the trigger, then fill them, check that none is left, then NOT NULL
    contract  drop the trigger; the old columns go into a shadow (`shadows.py`)

Indexes and constraints of the old columns are not copied: give the new ones theirs by their helpers.

Conversions are SQL expressions with the other side's columns in braces, `"round({price} * 100)"`; a brace that is meant is
doubled. They must take every value that is there: one that fails would fail old code's writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.types import TypeEngine

from platform_kit.errors import UnsafeChange
from platform_kit.migrations.batches import fill
from platform_kit.migrations.bookkeeping import SCHEMA
from platform_kit.migrations.catalogue import (
    ColumnFacts,
    column,
    dual_writers,
    existing,
    has_trigger,
)
from platform_kit.migrations.constraints import refuse_null
from platform_kit.migrations.shadows import free, keep_columns
from platform_kit.migrations.throttle import WRITER_SECONDS
from platform_kit.migrations.work import Work, fitting, literal, quoted, spelt, work

SqlType = TypeEngine[Any] | type[TypeEngine[Any]] | str


@dataclass(frozen=True, slots=True)
class DualWrite:
    """Which columns of a table say the same: `forward` makes the new from the old, `backward` the old."""

    table: str
    forward: Mapping[str, str]
    backward: Mapping[str, str]

    @property
    def old(self) -> tuple[str, ...]:
        """The columns that old code knows."""
        return tuple(self.backward)

    @property
    def new(self) -> tuple[str, ...]:
        """The columns that new code knows."""
        return tuple(self.forward)

    @property
    def name(self) -> str:
        """The trigger's name, and its function's."""
        return trigger_name(self.table, self.old, self.new)

    @property
    def missing(self) -> str:
        """The condition of a row whose new columns were not written yet, and should have been."""
        empty = " AND ".join(f"{quoted(name)} IS NULL" for name in self.new)
        values = ", ".join(self.filled().values())
        return f"{empty} AND num_nonnulls({values}) > 0"

    def filled(self, prefix: str = "") -> dict[str, str]:
        """Return the new columns' values, from the old ones of a row."""
        return {name: _filled(value, self.old, prefix) for name, value in self.forward.items()}

    def emptied(self, prefix: str = "") -> dict[str, str]:
        """Return the old columns' values, from the new ones of a row."""
        return {name: _filled(value, self.new, prefix) for name, value in self.backward.items()}

    def function(self) -> str:
        """Return the statement that makes the trigger's function."""
        new, old = _row("NEW", self.new), _row("OLD", self.new)
        given = ", ".join(f"NEW.{quoted(name)}" for name in self.new)
        differs = f"{new} IS DISTINCT FROM ROW({', '.join(self.filled('NEW.').values())})"
        backward = _assigned(self.emptied("NEW."))
        forward = _assigned(self.filled("NEW."))
        return (
            f"CREATE OR REPLACE FUNCTION {self.place}() RETURNS trigger LANGUAGE plpgsql AS $dual$\n"
            "BEGIN\n"
            "  IF TG_OP = 'INSERT' THEN\n"
            f"    IF num_nonnulls({given}) = 0 THEN {forward}\n"
            f"    ELSIF {differs} THEN {backward} END IF;\n"
            f"  ELSIF {new} IS DISTINCT FROM {old} THEN\n"
            f"    IF {differs} THEN {backward} END IF;\n"
            f"  ELSIF {_row('NEW', self.old)} IS DISTINCT FROM {_row('OLD', self.old)} THEN {forward}\n"
            "  END IF;\n"
            "  RETURN NEW;\n"
            "END $dual$"
        )

    def trigger(self) -> str:
        """Return the statement that makes the trigger."""
        return (
            f"CREATE OR REPLACE TRIGGER {quoted(self.name)} BEFORE INSERT OR UPDATE "
            f"ON {quoted(self.table)} FOR EACH ROW EXECUTE FUNCTION {self.place}()"
        )

    def comment(self) -> str:
        """Return the statement that says on the trigger which columns it is for."""
        says = json.dumps({"old": self.old, "new": self.new})
        return f"COMMENT ON TRIGGER {quoted(self.name)} ON {quoted(self.table)} IS {literal(says)}"

    @property
    def place(self) -> str:
        """The function's name for use in SQL."""
        return f"{SCHEMA}.{quoted(self.name)}"


def trigger_name(table: str, old: Sequence[str], new: Sequence[str]) -> str:
    """Return the name of the trigger between those columns, the same in expand and contract."""
    return fitting(f"dual_write_{table}_{'_'.join(old)}_{'_'.join(new)}")


def rename_column(
    table: str, old: str, new: str, *, writer_seconds: float = WRITER_SECONDS
) -> None:
    """Give a column a second name. Locks: ACCESS EXCLUSIVE and SHARE ROW EXCLUSIVE for a
    millisecond each, then batches of rows, then those of `set_not_null` if the old one is; expand.

    Ends by `end_dual_write(table, [old], [new], ...)` in a contract revision.
    """
    with work("rename_column", phases=("expand",)) as at:
        kind = existing(at, table, old).type
        both = DualWrite(table, {new: f"{{{old}}}"}, {old: f"{{{new}}}"})
        _begin(at, both, {new: kind}, writer_seconds=writer_seconds)


def change_type(
    table: str,
    old: str,
    new: str,
    type_: SqlType,
    *,
    forward: str,
    backward: str,
    writer_seconds: float = WRITER_SECONDS,
) -> None:
    """Give a column a successor of another type under another name. Locks as `rename_column`; expand."""
    with work("change_type", phases=("expand",)) as at:
        both = DualWrite(table, {new: forward}, {old: backward})
        _begin(at, both, {new: spelt(type_)}, writer_seconds=writer_seconds)


def split_column(
    table: str,
    old: str,
    new: Mapping[str, SqlType],
    *,
    forward: Mapping[str, str],
    backward: str,
    writer_seconds: float = WRITER_SECONDS,
) -> None:
    """Give a column several successors. Locks as `rename_column`; expand. All or none become NOT NULL."""
    with work("split_column", phases=("expand",)) as at:
        both = DualWrite(table, {name: forward[name] for name in new}, {old: backward})
        types = {name: spelt(kind) for name, kind in new.items()}
        _begin(at, both, types, writer_seconds=writer_seconds)


def merge_columns(
    table: str,
    old: Sequence[str],
    new: str,
    type_: SqlType,
    *,
    forward: str,
    backward: Mapping[str, str],
    writer_seconds: float = WRITER_SECONDS,
) -> None:
    """Give several columns one successor. Locks as `rename_column`; expand."""
    with work("merge_columns", phases=("expand",)) as at:
        both = DualWrite(table, {new: forward}, {name: backward[name] for name in old})
        _begin(at, both, {new: spelt(type_)}, writer_seconds=writer_seconds)


def end_dual_write(
    table: str,
    old: Sequence[str],
    new: Sequence[str],
    *,
    keep_until: date,
    writer_seconds: float = WRITER_SECONDS,
) -> None:
    """Drop the trigger, and the old columns into a shadow. Locks: ACCESS EXCLUSIVE for a millisecond,
    ROW SHARE for the copy in batches, ACCESS EXCLUSIVE for a millisecond; contract.

    In the moment in which the trigger goes the old columns may be NULL: new code does not write them.
    """
    with work("end_dual_write", phases=("contract",)) as at:
        name = trigger_name(table, old, new)
        if has_trigger(at, table, name) or at.dry:
            at.change(
                table,
                f"DROP TRIGGER IF EXISTS {quoted(name)} ON {quoted(table)}",
                *_freed(at, table, old, new),
            )
        at.make(f"DROP FUNCTION IF EXISTS {SCHEMA}.{quoted(name)}()")
        keep_columns(at, table, old, keep_until=keep_until, writer_seconds=writer_seconds)


def undo_dual_write(table: str, old: Sequence[str], new: Sequence[str]) -> None:
    """Drop the trigger and the new columns. Lock: ACCESS EXCLUSIVE for a millisecond; for `downgrade`.

    The old columns have everything: new code's writes went there, too.
    """
    with work("undo_dual_write", phases=()) as at:
        name = trigger_name(table, old, new)
        drops = ", ".join(f"DROP COLUMN IF EXISTS {quoted(each)}" for each in new)
        at.change(
            table,
            f"DROP TRIGGER IF EXISTS {quoted(name)} ON {quoted(table)}",
            f"ALTER TABLE {quoted(table)} {drops}",
        )
        at.make(f"DROP FUNCTION IF EXISTS {SCHEMA}.{quoted(name)}()")


def _begin(at: Work, both: DualWrite, types: Mapping[str, str], *, writer_seconds: float) -> None:
    facts = [existing(at, both.table, name) for name in both.old]
    _refuse_chain(at, both)
    missing = [name for name in both.new if column(at, both.table, name) is None]
    if missing:
        adds = ", ".join(
            f"ADD COLUMN IF NOT EXISTS {quoted(name)} {types[name]}" for name in missing
        )
        at.change(both.table, f"ALTER TABLE {quoted(both.table)} {adds}")
    if not has_trigger(at, both.table, both.name):
        at.change(both.table, both.function(), both.trigger(), both.comment())
    fill(at, both.table, both.filled(), where=both.missing, writer_seconds=writer_seconds)
    if all(fact.not_null for fact in facts):
        for name in both.new:
            refuse_null(at, both.table, name)


def _refuse_chain(at: Work, both: DualWrite) -> None:
    """Refuse a column that another open dual write has: one pass of triggers could not serve both."""
    for writer in dual_writers(at, both.table):
        shared = {*writer.old, *writer.new} & {*both.old, *both.new}
        if shared and writer.name != both.name:
            raise UnsafeChange(
                f"{both.table}.{min(shared)} is still written twice by {writer.name}",
                hint="apply the contract that ends it first",
            )


def _freed(at: Work, table: str, old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return what lets new code insert without the trigger, in the transaction in which that goes."""
    facts = {name: column(at, table, name) for name in old}
    freed = [free(table, name, fact) for name, fact in facts.items() if fact is not None]
    if len(old) == len(new) == 1 and (before := facts[old[0]]) is not None:
        freed += _default(table, new[0], before, existing(at, table, new[0]))
    return freed


def _default(table: str, name: str, before: ColumnFacts, after: ColumnFacts) -> list[str]:
    """Return what gives the new column the numbers, or the default, that the old one gave to both."""
    alter = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)}"
    next_number = f"SELECT coalesce(max({quoted(name)}), 0) + 1 FROM {quoted(table)}"  # noqa: S608
    sequence = f"pg_get_serial_sequence({literal(quoted(table))}, {literal(name)})"
    if after.default is not None or after.identity:
        return []
    if before.sequence is not None:
        return [
            f"{alter} ADD GENERATED BY DEFAULT AS IDENTITY",
            f"SELECT setval({sequence}, ({next_number}), false)",
        ]
    if before.default is not None and before.type == after.type:
        return [f"{alter} SET DEFAULT {before.default}"]
    return []


def _filled(expression: str, names: Sequence[str], prefix: str) -> str:
    return f"({expression.format_map({name: prefix + quoted(name) for name in names})})"


def _row(row: str, names: Sequence[str]) -> str:
    return f"ROW({', '.join(f'{row}.{quoted(name)}' for name in names)})"


def _assigned(values: Mapping[str, str]) -> str:
    return " ".join(f"NEW.{quoted(name)} := {value};" for name, value in values.items())
