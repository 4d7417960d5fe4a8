"""What a contract takes away, kept where no code looks, until a date.

A column goes into a table of its own with the key of its row; a table goes as it is. Both are in the
schema `platform_kit`, listed in `platform_kit.shadows`, and are dropped by the first contract run after their date.

    UPDATE products SET price = kept.price FROM platform_kit.products_price_c001 AS kept WHERE products.id = kept.id
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, func, select

from platform_kit.errors import UnsafeChange
from platform_kit.migrations.batches import SAME, Batches, go_along
from platform_kit.migrations.bookkeeping import SCHEMA, shadows
from platform_kit.migrations.catalogue import ColumnFacts, column, has_table, primary_key
from platform_kit.migrations.events import tell
from platform_kit.migrations.guard import Guard
from platform_kit.migrations.throttle import WRITER_SECONDS
from platform_kit.migrations.work import Work, fitting, literal, quoted, work

FOREIGN_KEYS = """
SELECT conname, conrelid::regclass::text AS table, conrelid = to_regclass(:table) AS own
FROM pg_constraint
WHERE contype = 'f' AND (conrelid = to_regclass(:table) OR confrelid = to_regclass(:table))
"""


def drop_column(
    table: str, name: str, *, keep_until: date, writer_seconds: float = WRITER_SECONDS
) -> None:
    """Drop a column, its values into a shadow. Locks: ACCESS EXCLUSIVE for a millisecond, ROW SHARE for
    the copy in batches, ACCESS EXCLUSIVE for a millisecond; contract.
    """
    with work("drop_column", phases=("contract",)) as at:
        if (facts := column(at, table, name)) is not None:
            at.change(table, free(table, name, facts))
        keep_columns(at, table, [name], keep_until=keep_until, writer_seconds=writer_seconds)


def drop_table(table: str, *, keep_until: date) -> None:
    """Move a table out of all code's sight. Locks: ACCESS EXCLUSIVE for a millisecond, one for each
    of its foreign keys (on the other table too, as they would go on to bind it); contract.

    Raises `UnsafeChange` while another table refers to it.
    """
    with work("drop_table", phases=("contract",)) as at:
        shadow = fitting(f"{table}_{at.step.revision}")
        if not at.dry and not has_table(at, table):
            return  # moved by an earlier run, with its line
        for key in at.ask(FOREIGN_KEYS, table=quoted(table)):
            if not key.own:
                raise UnsafeChange(
                    f"{key.table} refers to {table} ({key.conname})",
                    hint="drop_constraint that foreign key first",
                )
            at.change(table, f"ALTER TABLE {quoted(table)} DROP CONSTRAINT {quoted(key.conname)}")
        at.change(
            table,
            f"ALTER TABLE {quoted(table)} RENAME TO {quoted(shadow)}",
            f"ALTER TABLE {quoted(shadow)} SET SCHEMA {SCHEMA}",
            _listed(at, shadow, source=table, keep_until=keep_until),
        )


def free(table: str, name: str, facts: ColumnFacts) -> str:
    """Return the statement after which inserts leave a column NULL, as nothing writes it any more."""
    alter = f"ALTER COLUMN {quoted(name)}"
    without = f"{alter} DROP IDENTITY" if facts.identity else f"{alter} DROP DEFAULT"
    return f"ALTER TABLE {quoted(table)} {without}, {alter} DROP NOT NULL"


def keep_columns(
    at: Work, table: str, names: Sequence[str], *, keep_until: date, writer_seconds: float
) -> None:
    """Copy columns into shadows, see that all is there, then drop them."""
    for name in names:
        if column(at, table, name) is None and not at.dry:
            continue  # dropped by an earlier run, in the transaction that listed its shadow
        shadow = fitting(f"{table}_{name}_{at.step.revision}")
        _copy(at, table, name, shadow=shadow, writer_seconds=writer_seconds)
        at.change(
            table,
            _listed(at, shadow, source=f"{table}.{name}", keep_until=keep_until),
            f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(name)}",
        )


def purge(guard: Guard) -> list[str]:
    """Drop the shadows whose date is over, and return what they were."""
    expired = select(shadows).where(shadows.c.expires_at <= func.now())
    with guard.engine.connect() as connection:
        rows = list(connection.execute(expired.order_by(shadows.c.name)))
    for row in rows:
        guard.insist(lambda row=row: _drop(guard, row))  # type: ignore[misc]
        tell("shadow_purged", source=row.source, revision=row.revision, expired=row.expires_at)
    return [row.source for row in rows]


def _drop(guard: Guard, row: Row[*tuple[Any, ...]]) -> None:
    with guard.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {SCHEMA}.{quoted(row.name)}")
        connection.execute(delete(shadows).where(shadows.c.name == row.name))


def _copy(at: Work, table: str, name: str, *, shadow: str, writer_seconds: float) -> None:
    keys = [key for key, _ in primary_key(at, table)]
    columns = ", ".join(quoted(each) for each in (*keys, name))
    place = f"{SCHEMA}.{quoted(shadow)}"
    at.make(
        f"CREATE TABLE IF NOT EXISTS {place} AS SELECT {columns} FROM {quoted(table)} WITH NO DATA",  # noqa: S608
        f"CREATE UNIQUE INDEX IF NOT EXISTS {quoted(fitting(f'{shadow}_key'))} "
        f"ON {place} ({', '.join(quoted(key) for key in keys)})",
    )
    from_rows = f"INSERT INTO {place} SELECT {_of('changing', (*keys, name))} FROM {quoted(table)} AS changing"  # noqa: S608
    kept = f"changing.{quoted(name)} IS NOT NULL"
    same = " AND ".join(f"kept.{quoted(key)} = changing.{quoted(key)}" for key in keys)
    value = f"kept.{quoted(name)}::text IS NOT DISTINCT FROM changing.{quoted(name)}::text"
    at.note(f"{from_rows} WHERE {kept}")
    go_along(
        at,
        Batches(
            name=f"{at.step.revision}: {place}",
            table=table,
            action=f"{from_rows}, keys WHERE {SAME} AND {kept} ON CONFLICT DO NOTHING RETURNING 1",
        ),
        left=f"{kept} AND NOT EXISTS (SELECT 1 FROM {place} AS kept WHERE {same} AND {value})",  # noqa: S608
        writer_seconds=writer_seconds,
    )


def _of(row: str, names: Sequence[str]) -> str:
    return ", ".join(f"{row}.{quoted(name)}" for name in names)


def _listed(at: Work, shadow: str, *, source: str, keep_until: date) -> str:
    values = ", ".join(literal(each) for each in (shadow, source, at.step.revision))
    return (
        f"INSERT INTO {SCHEMA}.shadows (name, source, revision, expires_at) "  # noqa: S608
        f"VALUES ({values}, {literal(keep_until.isoformat())}) ON CONFLICT DO NOTHING"
    )
