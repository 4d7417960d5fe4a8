"""`migrations rehearse`: a schema change on a copy with as many rows as production has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deployer.commands.context import Context
from deployer.commands.migrations_apply import history_of
from deployer.commands.migrations_check import last_release
from deployer.commands.release import Wanted, build_release
from deployer.errors import OperationError
from deployer.migrations.budget import Budget, shown
from deployer.migrations.rehearsal import Rehearsal, Rehearsed, pending
from deployer.migrations.rows import Size
from deployer.model import ServiceName
from deployer.releases import Recorded
from deployer.targets.local.postgres import Postgres


def rehearse(context: Context, service: ServiceName, *, rows: int | None = None) -> Rehearsed:
    """Try the revisions that the last release did not have on a copy with generated rows.

    The environment says what they may cost; the copy is always here. `rows` takes the place of what
    service and environment say of every table. Raises the errors of a build, InputError
    `rows-unknown`, and OperationError `rows-not-generated` or `revision-failed`.
    """
    here = replace(context, environment=context.environment.model_copy(update={"target": "local"}))
    policy = context.environment.migrations
    budget = Budget(policy.lock_budget_ms / 1000, policy.duration_budget_seconds)
    last = last_release(context, service)
    if last is None:
        return Rehearsed(service, None, budget)
    declared = context.workspace.declaration(service).migrations
    declared_rows = declared.rows if rows is None else {}
    fallback = policy.rows if rows is None else rows
    return _on_a_copy(here, service, last, budget, lambda table: declared_rows.get(table, fallback))


def require_within_budget(rehearsed: Rehearsed) -> None:
    """Raise OperationError `over-budget` for the first statement that was, or `write-refused`."""
    for over in rehearsed.over:
        raise OperationError(
            "over-budget",
            f"{over.revision}: {shown(over.statement)}: {over.why}",
            hint=f"write it with the helper for it: docs/guides/changing-the-database.md; why:"
            f" deployer migrations check {rehearsed.service} --no-tests",
        )
    for run in rehearsed.runs:
        if run.refused is not None:
            raise OperationError(
                "write-refused",
                f"while {run.phase} ran, a write as old code makes it failed: {run.refused}",
                hint="keep what the last release writes: deployer migrations check"
                f" {rehearsed.service}",
            )


def _on_a_copy(
    context: Context, service: ServiceName, last: Recorded, budget: Budget, size: Size
) -> Rehearsed:
    builds = context.local.builds
    newer = build_release(context, Wanted(service))
    older = build_release(context, Wanted(service, last.version))
    histories = (history_of(context, older), history_of(context, newer))
    if not pending(*histories):
        return Rehearsed(service, older.name, budget)
    folder = context.workspace.root / ".deployer" / "rehearsal"
    folder.mkdir(parents=True, exist_ok=True)
    postgres = Postgres(folder)
    postgres.up((service,))
    try:
        with TemporaryDirectory(prefix="rehearsal-") as scratch:
            context.say(f"rehearsing {newer.name} on the schema of {older.name}")
            rehearsal = Rehearsal(
                service,
                builds.python(newer),
                builds.python(older),
                postgres,
                Path(scratch),
                budget,
            )
            return rehearsal.rehearse(
                older.name,
                histories,
                context.workspace.declaration(service).migrations,
                size,
            )
    finally:
        postgres.down()
