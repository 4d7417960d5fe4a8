"""The tables of a database as its catalogue has them: what rows have to fulfil that are made for them."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

TABLES = """
SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname NOT IN ('alembic_version', 'schema_history')
ORDER BY c.relname
"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), base.typname, base.typtype::text,
       CASE WHEN base.typname IN ('varchar', 'bpchar')
            THEN nullif(greatest(a.atttypmod, kind.typtypmod), -1) - 4 END,
       a.attnotnull, a.attidentity <> '' OR a.attgenerated <> '', pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a JOIN pg_type kind ON kind.oid = a.atttypid
JOIN pg_type base ON base.oid = CASE kind.typtype WHEN 'd' THEN kind.typbasetype ELSE kind.oid END
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# Of an index on expressions, the columns that they read: any of them may tell the rows apart.
UNIQUES = """
SELECT ARRAY(
  SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND CASE
    WHEN 0 = ANY(i.indkey::int2[]) THEN EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum)
    ELSE a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]) END
  ORDER BY a.attnum)
FROM pg_index i WHERE i.indrelid = %s AND i.indisunique ORDER BY i.indisprimary DESC, i.indexrelid
"""
NAMES = """
ARRAY(SELECT a.attname::text FROM unnest({key}) WITH ORDINALITY AS k(number, place)
      JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = k.number ORDER BY place)
"""
REFERENCES = f"""
SELECT {NAMES.format(key="conkey", table="conrelid")}, parent.relname,
       {NAMES.format(key="confkey", table="confrelid")}
FROM pg_constraint JOIN pg_class parent ON parent.oid = confrelid
WHERE conrelid = %s AND contype = 'f' ORDER BY conname
"""  # noqa: S608  # constants
CHECKS = f"""
SELECT pg_get_expr(conbin, conrelid), {NAMES.format(key="conkey", table="conrelid")}
FROM pg_constraint WHERE conrelid = %s AND contype = 'c' ORDER BY conname
"""  # noqa: S608  # constants


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `base` is the type's own name, also under a domain; `length` what a varchar may have.

    `made` is filled by PostgreSQL itself: an identity, or generated from other columns.
    """

    name: str
    type: str
    base: str
    is_enum: bool
    length: int | None
    not_null: bool
    made: bool
    default: str | None

    @property
    def left_out(self) -> bool:
        """Whether an INSERT does best to leave it to PostgreSQL."""
        return self.made or (self.default or "").startswith("nextval(")


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: columns, and those of the parent that they point to."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A check as SQL, and the columns that it reads."""

    sql: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with all that its rows have to fulfil."""

    name: str
    columns: tuple[Column, ...]
    uniques: tuple[tuple[str, ...], ...]
    references: tuple[Reference, ...]
    checks: tuple[Check, ...]


def read_tables(connection: psycopg.Connection) -> tuple[Table, ...]:
    """Return a service's own tables, parents before those that refer to them where that is possible."""
    tables = [_table(connection, *row) for row in connection.execute(TABLES).fetchall()]
    return tuple(_parents_first(tables))


def _table(connection: psycopg.Connection, oid: int, name: str) -> Table:
    columns = connection.execute(COLUMNS, (oid,)).fetchall()
    uniques = connection.execute(UNIQUES, (oid,)).fetchall()
    references = connection.execute(REFERENCES, (oid,)).fetchall()
    checks = connection.execute(CHECKS, (oid,)).fetchall()
    return Table(
        name,
        tuple(_column(*row) for row in columns),
        tuple(tuple(names) for (names,) in uniques),
        tuple(Reference(tuple(own), parent, tuple(theirs)) for own, parent, theirs in references),
        tuple(Check(sql, tuple(names)) for sql, names in checks),
    )


def _column(  # a column of the query an argument
    name: str,
    type_: str,
    base: str,
    kind: str,
    length: int | None,
    not_null: bool,  # noqa: FBT001
    made: bool,  # noqa: FBT001
    default: str | None,
) -> Column:
    return Column(name, type_, base, kind == "e", length, not_null, made, default)


def _parents_first(tables: list[Table]) -> list[Table]:
    ordered: list[Table] = []
    while len(ordered) < len(tables):
        placed = {table.name for table in ordered}
        left = [table for table in tables if table.name not in placed]
        ready = [each for each in left if _parents(each) <= placed]
        ordered += ready or left[:1]  # of a circle, any is the first
    return ordered


def _parents(table: Table) -> set[str]:
    return {each.parent for each in table.references} - {table.name}
