"""SQL expressions that make a column's values from the row's number `n`, which begins at 1: pure.

Several a column, the likeliest first: which of them a table's checks let through, PostgreSQL is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deployer.migrations.catalogue import Check, Column

LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
DIGIT = 16  # what `to_hex` counts in

# By the type's own name: values that no other row has, then others.
DISTINCT: dict[str, tuple[str, ...]] = {
    "int2": ("n::int2",),
    "int4": ("n::int4",),
    "int8": ("n",),
    "numeric": ("n::numeric",),
    "float4": ("n::float4",),
    "float8": ("n::float8",),
    "text": ("'row ' || n",),
    "name": ("'row ' || n",),
    "citext": ("'row ' || n",),
    "uuid": ("md5(n::text)::uuid",),
    "timestamptz": ("now() - n * interval '1 second'", "now() + n * interval '1 second'"),
    "timestamp": ("localtimestamp - n * interval '1 second'",),
    "date": ("date '2000-01-01' + n::int4",),
    "interval": ("n * interval '1 second'",),
    "bytea": ("decode(md5(n::text), 'hex')",),
    "jsonb": ("jsonb_build_object('n', n)",),
    "inet": ("inet '10.0.0.0' + n",),
}
# The next are as a shop has them: few kinds, many of each.
SHARED: dict[str, tuple[str, ...]] = {
    "int2": ("1 + n % 100", "1 + n % 5", "1", "0"),
    "int4": ("1 + n % 1000", "1 + n % 100", "1 + n % 5", "1", "0"),
    "int8": ("1 + n % 1000", "1 + n % 100", "1 + n % 5", "1", "0"),
    "numeric": ("(1 + n % 10000) / 100.0", "(n % 100) / 100.0", "1", "0"),
    "float4": ("(1 + n % 10000) / 100.0", "(n % 100) / 100.0", "1", "0"),
    "float8": ("(1 + n % 10000) / 100.0", "(n % 100) / 100.0", "1", "0"),
    "text": ("md5(n::text)", "n::text", "'x'", "''"),
    "bool": ("n % 2 = 0", "true", "false"),
    "time": ("time '00:00' + (n % 86400) * interval '1 second'",),
    "json": ("json_build_object('n', n)", "'{}'", "'[]'"),
    "jsonb": ("'{}'", "'[]'"),
}


@dataclass(frozen=True, slots=True)
class Generator:
    """An expression, and whether it gives every row another value."""

    sql: str
    distinct: bool = False


def generators(column: Column, checks: Iterable[Check], *, rows: int) -> tuple[Generator, ...]:
    """Return what may fill a column of so many rows, the likeliest first; nothing for an unknown type."""
    named = [check for check in checks if column.name in check.columns]
    return tuple(
        dict.fromkeys(
            (
                *_of_type(column, rows),
                *_of_checks(column, named),
                *([Generator(column.default)] if column.default and not column.left_out else ()),
                *(() if column.not_null else (Generator("NULL"),)),
            )
        )
    )


def _of_type(column: Column, rows: int) -> Iterator[Generator]:
    if column.is_enum:
        values = f"enum_range(NULL::{column.type})"
        yield Generator(f"({values})[1 + n % cardinality({values})]")
    elif column.base.startswith("_"):
        yield Generator("'{}'")
    elif column.base in {"varchar", "bpchar"}:
        yield from _short(column.length, rows)
    else:
        yield from (Generator(sql, distinct=True) for sql in DISTINCT.get(column.base, ()))
        yield from (Generator(sql) for sql in SHARED.get(column.base, ()))


def _short(length: int | None, rows: int) -> Iterator[Generator]:
    """Yield texts of a length at most: a cast would cut them without a word."""
    if length is None or len(f"row {rows}") <= length:
        yield Generator("'row ' || n", distinct=True)
    elif rows < DIGIT**length:
        yield Generator("to_hex(n)", distinct=True)
    yield Generator(f"left(md5(n::text), {length})" if length else "md5(n::text)")
    yield Generator("'x'")


def _of_checks(column: Column, checks: Iterable[Check]) -> Iterator[Generator]:
    """Yield the values that the checks name, all in turn and each for itself: of a list, all are right."""
    found = dict.fromkeys(value for check in checks for value in LITERAL.findall(check.sql))
    values = [f"{value}::{column.type}" for value in found]
    if values:
        yield Generator(f"(ARRAY[{', '.join(values)}])[1 + n % {len(values)}]")
    yield from (Generator(value) for value in values)
