"""The connections of a run, and the limits that hold on them for whatever is executed.

Every statement, a helper's or a plain `op.execute`, is given the limits of its lock class before it runs
(`limits.py`); one that got no lock in time is rolled back and tried again until the patience is over.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg import errors
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
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
AUTOVACUUM = "autovacuum worker"
TABLE = re.compile(
    r"\s*(ALTER|DROP)\s+TABLE\s+(?!IF\b)(ONLY\s+)?(?P<table>(\"[^\"]+\"|[\w.])+)", re.IGNORECASE
)
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
        allowed = limits(lock_class(statement)).statement
        if isinstance(error.orig, errors.QueryCanceled) and allowed:
            raise StatementTooLong(statement, seconds=allowed / 1000) from error
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
        if kind is LockClass.CATALOGUE and self._vacuumed():
            self._send_vacuum_away(connection, cursor, statement)
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

    def _vacuumed(self) -> bool:
        return any(blocker.application == AUTOVACUUM for blocker in self.lookout.seen)

    def _send_vacuum_away(
        self, connection: Connection, cursor: psycopg.Cursor, statement: str
    ) -> None:
        """Wait for a lock that is in nobody's way: an autovacuum gives way after a second of that, never
        after 50 ms. With that lock no other one begins on the table.
        """
        named = TABLE.match(statement)
        if named is None or connection.get_isolation_level() == "AUTOCOMMIT":
            return
        self._limit(connection, cursor, LockClass.SHARED)
        try:
            cursor.execute(f"LOCK TABLE {named['table']} IN SHARE UPDATE EXCLUSIVE MODE")
        except psycopg.Error as error:
            raise OperationalError(statement, None, error) from error

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
    connection.commit()
    # A runner that was killed is noticed while its statement runs, not when it ends. Not every
    # system can: there the next runner ends what was left (`lock.py`).
    with contextlib.suppress(psycopg.Error), connection.transaction():
        connection.execute("SET client_connection_check_interval = '1s'")
