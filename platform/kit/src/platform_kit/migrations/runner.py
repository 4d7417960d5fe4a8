"""Upgrade one phase of a service's schema, or take expand revisions back; one runner at a time, guarded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, select

from platform_kit.database import Database
from platform_kit.errors import LockUnavailable, PhaseUnknown, RevertRefused
from platform_kit.migrations.bookkeeping import keep_books
from platform_kit.migrations.guard import Guard
from platform_kit.migrations.limits import PATIENCE_SECONDS
from platform_kit.migrations.location import migrations_directory
from platform_kit.migrations.lock import one_runner
from platform_kit.migrations.run import Run, phase_of, step_of
from platform_kit.migrations.shadows import purge
from platform_kit.schema import Applied, oldest_release, schema_history
from platform_kit.schema import applied as applied_revisions

Find = Callable[[ScriptDirectory, tuple[str, ...]], list[RevisionStep]]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What a run did: the heads before and after, the revisions applied, in their order, what they
    leave (`oldest_release`: the oldest release that the schema serves), and what expired (`purged`).
    """

    service: str
    phase: str
    before: list[str]
    after: list[str]
    applied: list[str]
    oldest_release: str | None
    purged: list[str]


@dataclass(frozen=True, slots=True)
class Revert:
    """What was taken back, newest first."""

    service: str
    phase: str
    before: list[str]
    after: list[str]
    reverted: list[str]
    oldest_release: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is there, and what a run would do: the revisions in their order, with their statements where
    asked for.
    """

    service: str
    phase: str
    before: list[str]
    applied: list[str]
    oldest_release: str | None
    pending: list[str]
    sql: dict[str, list[str]] | None


def upgrade(
    service: str,
    *,
    phase: str,
    database_url: str | Path,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Upgrade:
    """Upgrade to the phase's head. Waits for a runner that is at work; does nothing where nothing is to do.

    `database_url` is the URL, or the file that holds it. A contract run also ends what was kept in a shadow until a date that is over.
    """
    script = _script(service, phase=phase)
    with _at_work(database_url, patience_seconds) as guard:
        before, known = _heads(guard), _recorded(guard)
        _run(script, guard, lambda script, at: _up(script, phase, at))
        purged = purge(guard) if phase == "contract" else []
        recorded = _recorded(guard)
        applied = [revision for revision in recorded if revision not in known]
        return Upgrade(
            service,
            phase,
            before,
            _heads(guard),
            applied,
            oldest_release(_applied(database_url)),
            purged,
        )


def revert(
    service: str, *, to: str, database_url: str | Path, patience_seconds: float = PATIENCE_SECONDS
) -> Revert:
    """Take back every expand revision after `to`, newest first; raise `RevertRefused` before anything is done.

    What contract took away is not brought back, and nothing below it is taken.
    """
    script = _script(service, phase="expand")
    with _at_work(database_url, patience_seconds) as guard:
        before, known = _heads(guard), _recorded(guard)
        _refuse(script, to=to, known=known)
        _run(script, guard, lambda script, at: _down(script, to, at))
        left = _recorded(guard)
        gone = [revision for revision in reversed(known) if revision not in left]
        return Revert(
            service, "expand", before, _heads(guard), gone, oldest_release(_applied(database_url))
        )


def plan(service: str, *, phase: str, database_url: str | Path, with_sql: bool = False) -> Plan:
    """Return what `upgrade` would do, changing nothing.

    The statements (`with_sql`) are those that are left to do: a helper that finds a part done leaves it out.
    """
    script = _script(service, phase=phase)
    guard = Guard(database_url)
    try:
        before = _heads(guard)
        steps = _up(script, phase, tuple(before))
        pending = [step.revision.revision for step in steps]
        sql = _written(script, guard, phase, tuple(before)) if with_sql else None
    finally:
        guard.close()
    there = _applied(database_url)
    applied = [each.revision for each in there]
    return Plan(service, phase, before, applied, oldest_release(there), pending, sql)


def _script(service: str, *, phase: str) -> ScriptDirectory:
    script = ScriptDirectory.from_config(_config(service))
    labels = {label for revision in script.walk_revisions() for label in revision.branch_labels}
    if phase not in labels:
        raise PhaseUnknown(service, phase=phase)
    return script


def _config(service: str) -> Config:
    # What Alembic prints is talk, and stdout is for the result.
    config = Config(stdout=io.StringIO())
    folder = str(migrations_directory(service))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


@contextmanager
def _at_work(database_url: str | Path, patience_seconds: float) -> Iterator[Guard]:
    with one_runner(database_url):
        guard = Guard(database_url, patience_seconds=patience_seconds)
        try:
            guard.insist(lambda: _keep_books(guard))
            yield guard
        finally:
            guard.close()


def _keep_books(guard: Guard) -> None:
    with guard.engine.begin() as connection:
        keep_books(connection)


def _run(script: ScriptDirectory, guard: Guard, find: Find) -> None:
    """Run the steps. One that consists of plain operations and got no lock is rolled back and run again."""
    while True:
        before = _recorded(guard)
        try:
            return guard.insist(lambda: _run_once(script, guard, find))
        except LockUnavailable:
            if before == _recorded(guard):  # each revision has the whole patience
                raise


def _run_once(script: ScriptDirectory, guard: Guard, find: Find) -> None:
    run = Run(guard)
    with guard.engine.connect().execution_options(plain=True) as connection:
        _run_environment(script, run, find, connection=connection)


def _run_environment(
    script: ScriptDirectory,
    run: Run,
    find: Find,
    *,
    connection: Connection | None = None,
    heads: tuple[str, ...] = (),
) -> None:
    buffer = io.StringIO()
    config = Config(stdout=io.StringIO(), output_buffer=buffer)
    config.attributes.update(run=run, connection=connection)

    def steps(at: tuple[str, ...], _: MigrationContext) -> list[MigrationStep]:
        found = find(script, at)
        for step in found:
            _announce(step, run, buffer)
        return list(found)

    written = {"as_sql": True, "starting_rev": heads} if run.dry else {}
    with EnvironmentContext(config, script, fn=steps, **written):
        script.run_env()


def _announce(step: RevisionStep, run: Run, buffer: io.StringIO) -> None:
    """Have the run told which revision is at work, and refuse those that cannot be, before any is."""
    at, work = step_of(step.revision, upgrading=step.is_upgrade), step.migration_fn

    def announced(**options: object) -> None:
        run.at(at)
        begins = buffer.tell()
        work(**options)
        run.sql[at.revision] = _statements(buffer.getvalue()[begins:])

    step.migration_fn = announced


def _statements(written: str) -> list[str]:
    """Return what Alembic wrote down as statements; it ends each with an empty line."""
    found = (statement.strip() for statement in written.split(";\n\n"))
    return [statement for statement in found if statement]


def _up(script: ScriptDirectory, phase: str, at: tuple[str, ...]) -> list[RevisionStep]:
    return script._upgrade_revs(f"{phase}@head", at)  # type: ignore[arg-type]  # noqa: SLF001 - as alembic.command does


def _down(script: ScriptDirectory, to: str, at: tuple[str, ...]) -> list[RevisionStep]:
    try:
        going = list(script.iterate_revisions(at, to, select_for_downgrade=True))
    except RevisionError as error:
        raise RevertRefused(str(error), hint="name an expand revision that is applied") from error
    for revision in going:  # before it is asked for its downgrade: a contract has none
        if phase_of(revision) != "expand":
            raise RevertRefused(
                f"contract {revision.revision} depends on what would go",
                hint="what a contract took away is brought back by a new expand revision",
            )
    return [MigrationStep.downgrade_from_script(script.revision_map, each) for each in going]


def _written(
    script: ScriptDirectory, guard: Guard, phase: str, at: tuple[str, ...]
) -> dict[str, list[str]]:
    run = Run(guard, dry=True)
    _run_environment(script, run, lambda script, at: _up(script, phase, at), heads=at)
    return run.sql


def _refuse(script: ScriptDirectory, *, to: str, known: list[str]) -> None:
    """Refuse what cannot be reverted to."""
    if to not in known:
        raise RevertRefused(
            f"revision {to} is not applied", hint=f"one of these is: {', '.join(known) or 'none'}"
        )
    if phase_of(script.get_revision(to)) != "expand":
        raise RevertRefused(
            f"{to} is a contract revision", hint="name the expand revision that is to be the newest"
        )


def _applied(database_url: str | Path) -> tuple[Applied, ...]:
    database = Database(database_url)
    try:
        return applied_revisions(database)
    finally:
        database.dispose()


def _heads(guard: Guard) -> list[str]:
    with guard.engine.connect() as connection:
        return sorted(MigrationContext.configure(connection).get_current_heads())


def _recorded(guard: Guard) -> list[str]:
    in_order = select(schema_history.c.revision).order_by(schema_history.c.applied_at)
    with guard.engine.connect() as connection:
        return list(connection.scalars(in_order))
