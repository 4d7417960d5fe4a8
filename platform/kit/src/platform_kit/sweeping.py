"""Sweeping: some rows of a table go, and never more at once than was said."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, select


def delete_some(
    connection: Connection, table: Table, key: ColumnElement[Any], some: Select[Any]
) -> int:
    """Delete the rows whose keys a limited query selects, but those that somebody else has locked; return how many.

    Materialized: as a subquery PostgreSQL may run it anew for every row, and each time it finds others.
    """
    chosen = some.with_for_update(skip_locked=True).cte("some").prefix_with("MATERIALIZED")
    return connection.execute(delete(table).where(key.in_(select(chosen)))).rowcount
