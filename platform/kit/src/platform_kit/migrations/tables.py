"""A table with two names: the table itself has the new one, a view has the old one."""

from __future__ import annotations

from platform_kit.migrations.catalogue import has_table, has_view
from platform_kit.migrations.work import Work, quoted, work


def rename_table(old: str, new: str) -> None:
    """Rename a table and leave a view under its old name. Lock: ACCESS EXCLUSIVE for a millisecond; expand.

    Old code reads and writes through the view, which PostgreSQL passes on. Columns that are added later are
    not in the view, which old code does not miss. Ends by `end_rename_table`.
    """
    with work("rename_table", phases=("expand",)) as at:
        if not has_table(at, new):
            at.change(
                old,
                f"ALTER TABLE {quoted(old)} RENAME TO {quoted(new)}",
                f"CREATE VIEW {quoted(old)} AS SELECT * FROM {quoted(new)}",  # noqa: S608
            )


def end_rename_table(old: str, new: str) -> None:
    """Drop the view under the old name. Lock: ACCESS EXCLUSIVE on the view for a millisecond; contract."""
    with work("end_rename_table", phases=("contract",)) as at:
        if has_view(at, old) or at.dry:
            at.change(new, f"DROP VIEW {quoted(old)}")


def undo_rename_table(old: str, new: str) -> None:
    """Give the table its old name back. Lock: ACCESS EXCLUSIVE for a millisecond; for `downgrade`."""
    with work("undo_rename_table", phases=()) as at:
        if _is_renamed(at, old, new):
            at.change(
                new,
                f"DROP VIEW {quoted(old)}",
                f"ALTER TABLE {quoted(new)} RENAME TO {quoted(old)}",
            )


def _is_renamed(at: Work, old: str, new: str) -> bool:
    return at.dry or (has_view(at, old) and has_table(at, new))
