"""What the services' env.py files call: run the revisions on the connection that the runner opened."""

from __future__ import annotations

from typing import cast

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script.revision import Revision
from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert

from platform_kit.errors import MigrationError
from platform_kit.schema import schema_history

PHASES = ("expand", "contract")


def run_environment() -> None:
    """Run the revisions that Alembic asks for, each in a transaction with its line in schema_history."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise MigrationError(
            "revisions are run by the platform kit, not by Alembic's own program\n"
            "hint: python -m platform_kit.migrations NAME --phase expand"
        )
    context.configure(
        connection=connection, transaction_per_migration=True, on_version_apply=_record
    )
    with context.begin_transaction():
        context.run_migrations()


def phase_of(revision: Revision) -> str:
    """Return the phase of a revision: the label of its branch."""
    for phase in PHASES:
        if phase in revision.branch_labels:
            return phase
    raise MigrationError(f"revision {revision.revision} is on neither branch: expand, contract")


def _record(ctx: MigrationContext, step: MigrationInfo, *_: object, **__: object) -> None:
    connection = cast("Connection", ctx.connection)  # there is always one outside of --sql
    for revision in cast("tuple[Revision, ...]", step.up_revisions):
        row = {"revision": revision.revision, "phase": phase_of(revision)}
        if step.is_upgrade:
            connection.execute(insert(schema_history).values(row).on_conflict_do_nothing())
        else:
            same = schema_history.c.revision == revision.revision
            connection.execute(delete(schema_history).where(same))
