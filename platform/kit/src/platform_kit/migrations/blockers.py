"""Who is in the way: asked on a connection of its own, while the statement still waits.

Afterwards nobody can say: `pg_blocking_pids` knows only of those who wait.
"""

from __future__ import annotations

import contextlib
import threading

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from platform_kit.errors import Blocker
from platform_kit.migrations.events import tell

QUERY_CHARACTERS = 120
# Long before the 50 ms of a change of the catalogue are over.
FIRST_LOOK_SECONDS = 0.015
# A wait of those that may wait long is worth a line every ten seconds.
SLOW_LOOK_SECONDS = 10.0

BLOCKERS = """
SELECT pid, coalesce(nullif(application_name, ''), backend_type),
       extract(epoch FROM clock_timestamp() - coalesce(xact_start, backend_start))::float,
       coalesce(state, 'active'), regexp_replace(query, '\\s+', ' ', 'g')
FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(%s)) ORDER BY xact_start
"""


class Lookout:
    """Looks at what a statement waits for. `seen` is whom it saw last."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine of its own. Connects when first needed."""
        self.seen: tuple[Blocker, ...] = ()
        self._engine = engine
        self._connection: Connection | None = None
        self._watch: _Watch | None = None

    def begin(self, pid: int, *, statement: str, patient: bool) -> None:
        """Watch over the statement that the backend is about to run."""
        self.end()
        self._watch = _Watch(self, pid, statement=statement, patient=patient)
        self._watch.start()

    def end(self) -> None:
        """Stop watching."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def close(self) -> None:
        """Stop watching and disconnect."""
        self.end()
        if self._connection is not None:
            self._connection.close()

    def look(self, pid: int) -> tuple[Blocker, ...]:
        """Return whom the backend waits for now, and keep it if there is anybody."""
        if self._connection is None or self._connection.closed:
            connection = self._engine.connect()
            self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        rows = self._connection.exec_driver_sql(BLOCKERS, (pid,))
        found = tuple(
            Blocker(blocker, application, round(age, 1), state, query[:QUERY_CHARACTERS])
            for blocker, application, age, state, query in rows
        )
        self.seen = found or self.seen
        return found


class _Watch(threading.Thread):
    def __init__(self, lookout: Lookout, pid: int, *, statement: str, patient: bool) -> None:
        super().__init__(daemon=True)
        self._lookout, self._pid = lookout, pid
        self._statement, self._patient = statement, patient
        self._stop_asked = threading.Event()

    def run(self) -> None:
        every = SLOW_LOOK_SECONDS if self._patient else FIRST_LOOK_SECONDS
        while not self._stop_asked.wait(every):
            # To see who blocks is a courtesy: that it fails must not fail the migration.
            with contextlib.suppress(SQLAlchemyError):
                found = self._lookout.look(self._pid)
                if found and self._patient:
                    blockers = [str(blocker) for blocker in found]
                    tell("lock_awaited", statement=self._statement, blockers=blockers)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()
