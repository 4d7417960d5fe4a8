"""What PostgreSQL really locks and rewrites for a statement: measured, never guessed.

A statement runs in a transaction of its own, and before that ends its backend's `pg_locks` and the
tables' `relfilenode` are read. What PostgreSQL refuses inside a transaction (CONCURRENTLY, VACUUM)
is watched from a second session: others hold a lock on each table, so that it has to wait at every
step, and are let go one by one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import errors, sql

from deployer.errors import OperationError
from deployer.migrations.operations import Lock, SetTimeout, Statement, Transaction

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.005
# What a session holds on every table: the one makes any schema change wait that asks for a table,
# the other those that wait for the writers there are.
HELD = ("SHARE UPDATE EXCLUSIVE", "ROW EXCLUSIVE")

TABLES = """
SELECT c.oid, CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
       c.relfilenode, c.relkind::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
LOCKS = """
SELECT relation, mode FROM pg_locks
WHERE pid = %s AND locktype = 'relation' AND relation = ANY(%s)
"""
Tables = dict[int, tuple[str, int, str]]


@dataclass(slots=True)
class Measured:
    """The strongest lock that was seen on each table, and the tables that got a new file."""

    locks: dict[str, Lock] = field(default_factory=dict)
    rewritten: set[str] = field(default_factory=set)

    @property
    def lock(self) -> Lock | None:
        """The strongest of all."""
        return max(self.locks.values(), key=lambda lock: lock.strength, default=None)

    def see(self, table: str, mode: str) -> None:
        """Note a lock by the name that `pg_locks` has for it."""
        lock = MODES[mode]
        held = self.locks.get(table)
        if held is None or held.strength < lock.strength:
            self.locks[table] = lock


MODES = {"".join(word.capitalize() for word in lock.split()) + "Lock": lock for lock in Lock}


class Ruler:
    """Measures statements on one database, one after the other; what they do stays done."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url, autocommit=True) as connection:
            self._before = _tables(connection)

    def measure(self, statement: Statement) -> Measured:
        """Run a statement and return what it locked of the tables there were, and wrote anew.

        BEGIN, COMMIT and time-outs are left out: each statement is looked at alone.
        """
        if any(isinstance(each, Transaction | SetTimeout) for each in statement.operations):
            return Measured()
        with psycopg.connect(self._url) as connection:
            files = _tables(connection)
            try:
                measured = self._inside(connection, statement.text)
            except errors.ActiveSqlTransaction:
                connection.rollback()
                measured = self._outside(statement.text)
            connection.commit()
            measured.rewritten = self._rewritten(files, _tables(connection))
        return measured

    def _inside(self, connection: psycopg.Connection, text: str) -> Measured:
        measured = Measured()
        connection.execute(text.encode())
        pid = connection.info.backend_pid
        self._look(connection, pid, measured)
        return measured

    def _look(self, connection: psycopg.Connection, pid: int, measured: Measured) -> None:
        known = list(self._before)
        for table, mode in connection.execute(LOCKS, (pid, known)).fetchall():
            measured.see(self._before[table][0], mode)

    def _rewritten(self, before: Tables, after: Tables) -> set[str]:
        return {
            name
            for oid, (name, file, _) in before.items()
            if oid in self._before and oid in after and after[oid][1] != file
        }

    def _outside(self, text: str) -> Measured:
        """Watch a statement that takes care of its transactions itself."""
        measured = Measured()
        with ExitStack() as stack:
            holders = self._holders(stack)
            connection = stack.enter_context(psycopg.connect(self._url, autocommit=True))
            watcher = stack.enter_context(psycopg.connect(self._url, autocommit=True))
            with _running(connection, text) as worker:
                self._let_go(worker, watcher, connection.info.backend_pid, holders, measured)
        return measured

    def _holders(self, stack: ExitStack) -> dict[int, psycopg.Connection]:
        """Return a session for every table and lock, by its process."""
        holders = {}
        for name, _, kind in self._before.values():
            if kind == "v":
                continue
            for lock in HELD:
                holder = stack.enter_context(psycopg.connect(self._url))
                if _holds(holder, name, kind, lock):
                    holders[holder.info.backend_pid] = holder
        return holders

    def _let_go(
        self,
        worker: threading.Thread,
        watcher: psycopg.Connection,
        pid: int,
        holders: dict[int, psycopg.Connection],
        measured: Measured,
    ) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while worker.is_alive():
            row = watcher.execute("SELECT pg_blocking_pids(%s)", (pid,)).fetchone()
            blocking = [each for each in (row[0] if row else ()) if each in holders]
            self._look(watcher, pid, measured)
            for each in blocking[:1]:
                holders.pop(each).rollback()
            if time.monotonic() > deadline:
                watcher.execute("SELECT pg_cancel_backend(%s)", (pid,))
            worker.join(POLL_SECONDS)


def _tables(connection: psycopg.Connection) -> Tables:
    rows = connection.execute(TABLES).fetchall()
    return {oid: (name, file, kind) for oid, name, file, kind in rows}


def _holds(holder: psycopg.Connection, name: str, kind: str, lock: str) -> bool:
    """Lock a table as a writer or another schema change would; a view's rows can only be read."""
    table = sql.Identifier(*name.split("."))
    if kind == "m":
        holder.execute(sql.SQL("SELECT FROM {}").format(table))
        return True
    holder.execute(
        sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.SQL("ONLY ") + table, sql.SQL(lock))
    )
    return True


@contextmanager
def _running(connection: psycopg.Connection, text: str) -> Iterator[threading.Thread]:
    """Run a statement in a thread; what went wrong there is raised here."""
    failures: list[Exception] = []

    def work() -> None:
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    yield worker
    worker.join()
    if failures:
        raise OperationError(
            "not-measured",
            f"PostgreSQL refused what was to be measured: {failures[0]}",
            hint="mend the statement, or the tables that it runs on",
        ) from failures[0]
