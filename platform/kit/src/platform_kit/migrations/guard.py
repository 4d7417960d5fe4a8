"""The connections of a run, and the limits that hold on them for whatever is executed.

Every statement, a helper's or a plain `op.execute`, is given the limits of its lock class before it runs
(`limits.py`); one that got no lock in time is rolled back and tried again until the patience is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg import errors
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from platform_kit.database import engine as engine_for
from platform_kit.errors import LockUnavailable, StatementTooLong
from platform_kit.migrations.blockers import Lookout
from platform_kit.migrations.events import tell
from platform_kit.migrations.limits import (
    IDLE_IN_TRANSACTION_MILLISECONDS,
    PATIENCE_SECONDS,
    Backoff,
    LockClass,
    limits,
    lock_class,
)

APPLICATION = "platform_kit.migrations"
CONNECT_SECONDS = 5
STATEMENT_CHARACTERS = 200
PATIENT = (LockClass.CONCURRENT, LockClass.SHARED, LockClass.QUESTION)
# A deadlock is a lock that was not given, too: PostgreSQL chose this one to give way.
RETRIED = (errors.LockNotAvailable, errors.DeadlockDetected)

T = TypeVar("T")


class Guard:
    """An engine whose statements cannot hold up what else runs on the database."""

    def __init__(
        self, database_url: str | Path, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self.database_url = database_url
        self.patience_seconds = patience_seconds
        self.plain_changes = 0  # statements of a revision itself, not of a helper
        self.lookout = Lookout(engine(database_url, application=f"{APPLICATION} lookout"))
        self.engine = engine(database_url, application=APPLICATION)
        event.listen(self.engine, "connect", _limit_session)
        event.listen(self.engine, "before_cursor_execute", self._before)
        event.listen(self.engine, "after_cursor_execute", self._after)
        event.listen(self.engine, "handle_error", self._failed)
        event.listen(self.engine, "rollback", _forget_limits)

    def close(self) -> None:
        """Close what the guard itself keeps open."""
        self.lookout.close()

    def insist(self, act: Callable[[], T]) -> T:
        """Call `act`, again whenever it got no lock; raise `LockUnavailable` when patience is over.

        What `act` did in a failed attempt must be rolled back when its exception comes out.
        """
        backoff, began, attempts = Backoff(self.patience_seconds), time.monotonic(), 0
        while True:
            try:
                return act()
            except DBAPIError as error:
                attempts += 1
                waited = time.monotonic() - began
                pause = self._pause(error, backoff, waited=waited, attempts=attempts)
            time.sleep(pause)

    def _pause(self, error: DBAPIError, backoff: Backoff, *, waited: float, attempts: int) -> float:
        statement = shortened(error.statement or "")
        if isinstance(error.orig, errors.QueryCanceled):
            kind = limits(lock_class(statement))
            raise StatementTooLong(statement, seconds=kind.statement / 1000) from error
        if not isinstance(error.orig, RETRIED):
            raise error
        pause = backoff.pause(waited)
        seen = self.lookout.seen
        if pause is None:
            raise LockUnavailable(
                statement, waited_seconds=waited, attempts=attempts, blockers=seen
            ) from error
        if attempts in {1, 2, 4} or not attempts % 8:  # told seldom: there may be a hundred
            blockers = [str(blocker) for blocker in seen]
            tell("lock_not_given", statement=statement, attempts=attempts, blockers=blockers)
        return pause

    def _before(
        self, connection: Connection, cursor: psycopg.Cursor, statement: str, *_: object
    ) -> None:
        kind = lock_class(statement)
        if connection.get_execution_options().get("plain") and kind is not LockClass.QUESTION:
            self.plain_changes += 1
        self._limit(connection, cursor, kind)
        if kind is not LockClass.QUESTION:
            pid = cursor.connection.info.backend_pid
            patient = kind in PATIENT
            self.lookout.begin(pid, statement=shortened(statement), patient=patient)

    def _limit(self, connection: Connection, cursor: psycopg.Cursor, kind: LockClass) -> None:
        wanted = limits(kind, patience_seconds=self.patience_seconds)
        if connection.info.get("limits") == wanted:
            return
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)",
            (f"{wanted.lock}ms", f"{wanted.statement}ms"),
        )
        connection.info["limits"] = wanted

    def _after(self, *_: object) -> None:
        self.lookout.end()

    def _failed(self, _: object) -> None:
        self.lookout.end()


def engine(database_url: str | Path, *, application: str) -> Engine:
    """Return an engine without a pool: a connection ends when it is given back."""
    return engine_for(
        database_url,
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": application},
    )


def shortened(statement: str) -> str:
    """Return a statement as one line of bearable length."""
    line = " ".join(statement.split())
    return line if len(line) <= STATEMENT_CHARACTERS else line[:STATEMENT_CHARACTERS] + " ..."


def _forget_limits(connection: Connection) -> None:
    connection.info.pop("limits", None)  # rolled back, too


def _limit_session(connection: psycopg.Connection, _: object) -> None:
    connection.execute(
        f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MILLISECONDS}"
    )
    # A runner that was killed is noticed while its statement runs, not when it ends (Linux only).
    connection.execute("SET client_connection_check_interval = '1s'")
    connection.commit()
