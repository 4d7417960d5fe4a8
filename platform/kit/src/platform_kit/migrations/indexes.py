"""Indexes, made and dropped while everybody reads and writes.

Both take SHARE UPDATE EXCLUSIVE, for as long as it takes to read the table twice: in the way of other changes of the
schema only. They wait for every transaction that is older, without a time-out: cut short they would leave an INVALID index,
which costs every writer and serves nobody. One that a kill has left is found and dropped first.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from platform_kit.migrations.catalogue import index_is_valid
from platform_kit.migrations.work import Work, listed, quoted, work


def create_index(
    name: str,
    table: str,
    columns: Sequence[str],
    *,
    unique: bool = False,
    where: str | None = None,
    using: str = "btree",
    include: Sequence[str] = (),
) -> None:
    """Create an index concurrently. Lock: SHARE UPDATE EXCLUSIVE, as long as two scans take; expand or contract.

    A column that is written with a parenthesis is an expression: `"(lower(email))"`.
    """
    with work("create_index", phases=("expand", "contract")) as at:
        build_index(
            at,
            name,
            f"{quoted(table)} USING {using} ({_keys(columns)})"
            + (f" INCLUDE ({listed(include)})" if include else "")
            + (f" WHERE {where}" if where else ""),
            unique=unique,
        )


def drop_index(name: str) -> None:
    """Drop an index concurrently. Lock: SHARE UPDATE EXCLUSIVE, a moment; contract, as plans may need it."""
    with work("drop_index", phases=("contract",)) as at:
        discard_index(at, name)


def build_index(at: Work, name: str, definition: str, *, unique: bool) -> None:
    """Have a valid index of that name, whatever an earlier run has left."""
    valid = index_is_valid(at, name)
    if valid:
        return
    if valid is False:
        discard_index(at, name)
    kind = "UNIQUE INDEX" if unique else "INDEX"
    try:
        at.alone(f"CREATE {kind} CONCURRENTLY {quoted(name)} ON {definition}")
    except DBAPIError:
        discard_index(at, name)  # not unique, say: what is left of it helps nobody
        raise


def discard_index(at: Work, name: str) -> None:
    """Drop an index, if there is one."""
    at.alone(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(name)}")


def _keys(columns: Sequence[str]) -> str:
    return ", ".join(each if each.startswith("(") else quoted(each) for each in columns)
