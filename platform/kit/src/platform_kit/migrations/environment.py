"""What the services' env.py files call: run the revisions on the connection that the runner opened."""

from __future__ import annotations

from typing import cast

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script.revision import Revision
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from platform_kit.migrations.bookkeeping import backfills
from platform_kit.migrations.run import Run
from platform_kit.schema import schema_history
from platform_kit.versions import precedence


def run_environment() -> None:
    """Run the revisions that Alembic asks for, each in a transaction with its line in schema_history."""
    run = Run.of(context.config)
    if run.dry:
        context.configure(dialect_name="postgresql", transaction_per_migration=True)
    else:
        context.configure(
            connection=context.config.attributes["connection"],
            transaction_per_migration=True,
            on_version_apply=_record,
        )
    with context.begin_transaction():
        context.run_migrations()


def _record(ctx: MigrationContext, step: MigrationInfo, *_: object, **__: object) -> None:
    connection = cast("Connection", ctx.connection)
    at = Run.of(ctx.config).step
    for revision in cast("tuple[Revision, ...]", step.up_revisions):
        if step.is_upgrade and at is not None:
            row = {
                "revision": revision.revision,
                "phase": at.phase,
                "oldest_release": _oldest(connection, at.oldest_release),
            }
            connection.execute(insert(schema_history).values(row).on_conflict_do_nothing())
        else:
            _forget(connection, revision.revision)


def _oldest(connection: Connection, declared: str | None) -> str | None:
    """Return the oldest release that the schema serves from now on: what was taken stays taken."""
    so_far = connection.scalars(select(schema_history.c.oldest_release).distinct())
    windows = [window for window in (*so_far, declared) if window is not None]
    return max(windows, key=precedence, default=None)


def _forget(connection: Connection, revision: str) -> None:
    connection.execute(delete(schema_history).where(schema_history.c.revision == revision))
    # Applied again, it has to fill its columns again.
    connection.execute(delete(backfills).where(backfills.c.revision == revision))
