"""What the helpers do their steps with: each step its own transaction, each asked for first whether it is done.

A helper leaves Alembic's transaction before its first step, so what a revision executed before it would be
committed without the revision being recorded, and executed again after a kill. So plain operations come after the helpers,
in the transaction that records the revision, or in a revision of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic import op
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Row, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from platform_kit.errors import MigrationError, UnsafeChange, WrongPhase
from platform_kit.migrations.guard import Guard
from platform_kit.migrations.run import Run, Step

# Not psycopg's own, which doubles every `%`: nothing here is given parameters.
DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
IDENTIFIER_BYTES = 63


@dataclass(frozen=True, slots=True)
class Work:
    """The steps of one helper in one revision. If it is `dry` they are only written down."""

    step: Step
    context: MigrationContext
    guard: Guard
    connection: Connection
    dry: bool = False

    def ask(self, question: str, **values: object) -> list[Row[*tuple[Any, ...]]]:
        """Return the rows that answer a question to the catalogue."""
        with self.connection.begin():
            return list(self.connection.execute(text(question), values))

    def is_so(self, question: str, **values: object) -> bool:
        """Whether the question has an answer."""
        return bool(self.ask(question, **values))

    def change(self, table: str, *statements: str) -> None:
        """Execute statements in one transaction, again and again until their locks are given.

        It first has SHARE UPDATE EXCLUSIVE on the table: waiting for that is in nobody's way, and makes an
        autovacuum give way, which it does only for those who wait a second. Then ACCESS EXCLUSIVE, in 50 ms at most.
        """
        self._together(f"LOCK TABLE {quoted(table)} IN SHARE UPDATE EXCLUSIVE MODE", *statements)

    def make(self, *statements: str) -> None:
        """Execute statements in one transaction: such as need no lock on a table first."""
        self._together(*statements)

    def alone(self, statement: str) -> None:
        """Execute a statement outside of a transaction, as CONCURRENTLY wants it."""
        if self.dry:
            self.context.execute(statement)
            return
        connection = self.connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            self.guard.insist(lambda: execute(connection, statement))
        finally:
            connection.rollback()
            connection.execution_options(isolation_level="READ COMMITTED")

    def note(self, statement: str) -> None:
        """Write down what would be executed more than once, if writing down is all that is done."""
        if self.dry:
            self.context.execute(statement)

    def _together(self, *statements: str) -> None:
        if self.dry:
            for statement in statements:
                self.context.execute(statement)
            return

        def once() -> None:
            with self.connection.begin():
                for statement in statements:
                    execute(self.connection, statement)

        self.guard.insist(once)


@contextmanager
def work(helper: str, *, phases: Sequence[str]) -> Iterator[Work]:
    """Begin a helper's work; raise `WrongPhase` in a revision of a phase that is not among `phases`.

    A downgrade may call helpers of both: it takes back an expand that nobody uses.
    """
    context = op.get_context()
    run = Run.of(context.config)
    step = run.step
    if step is None:
        raise MigrationError(f"{helper} is called outside of a revision")
    if step.upgrading and step.phase not in phases:
        belongs = " or ".join(phases)
        raise WrongPhase(helper, phase=step.phase, belongs=belongs, revision=step.revision)
    if run.dry:
        with run.guard.engine.connect() as connection:
            yield Work(step, context, run.guard, connection, dry=True)
        return
    if run.guard.plain_changes:
        raise UnsafeChange(
            f"revision {step.revision} calls {helper} after plain operations, which would be "
            "committed before the revision is recorded",
            hint="call the helpers first, or give the plain operations a revision of their own",
        )
    with context.autocommit_block(), run.guard.engine.connect() as connection:
        yield Work(step, context, run.guard, connection)


def execute(connection: Connection, statement: str) -> None:
    """Execute a statement as it is: no parameter, no `%` and no `:name` in it means anything."""
    connection.execution_options(no_parameters=True).exec_driver_sql(statement)


def quoted(name: str) -> str:
    """Return an identifier for use in SQL."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Sequence[str]) -> str:
    """Return identifiers for use in SQL, with commas between."""
    return ", ".join(quoted(name) for name in names)


def literal(value: str) -> str:
    """Return a string for use in SQL."""
    return "'" + value.replace("'", "''") + "'"


def spelt(type_: TypeEngine[Any] | type[TypeEngine[Any]] | str) -> str:
    """Return a type for use in SQL."""
    if isinstance(type_, str):
        return type_
    return (type_() if isinstance(type_, type) else type_).compile(dialect=DIALECT)


def fitting(name: str) -> str:
    """Return a generated name; raise `UnsafeChange` for one that PostgreSQL would cut short."""
    if len(name.encode()) > IDENTIFIER_BYTES:
        raise UnsafeChange(
            f"the name {name} is longer than {IDENTIFIER_BYTES} bytes", hint="give a shorter name="
        )
    return name
