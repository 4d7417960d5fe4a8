"""One runner at a time, on one database.

The lock is a session's, on a connection of its own: taken on Alembic's connection it would open a transaction
that Alembic does not know of. Those who wait ask again and again rather than inside one statement: that
statement's snapshot would hold up CREATE INDEX CONCURRENTLY in the runner that has the lock.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from platform_kit.errors import MigrationError
from platform_kit.migrations.events import tell
from platform_kit.migrations.guard import APPLICATION, engine

# One lock a database, and a database belongs to one service: the number only has to differ from the service's own.
LOCK = zlib.crc32(b"platform_kit.migrations")
LOCK_RETRY_SECONDS = 0.2
# A terminated backend answers at its next check for interrupts, which is soon also while it builds an index.
ORPHANS_SECONDS = 30.0

ORPHANS = text("""
SELECT pid FROM pg_stat_activity
WHERE application_name = :name AND datname = current_database() AND pid <> pg_backend_pid()
""")


@contextmanager
def one_runner(database_url: str | Path) -> Iterator[None]:
    """Wait until no other runner is at work, and be the one until the end."""
    keeper = engine(database_url, application=f"{APPLICATION} lock")
    with keeper.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(select(func.pg_try_advisory_lock(LOCK))):
            time.sleep(LOCK_RETRY_SECONDS)
        _end_orphans(connection)
        yield
        # The session's end gives the lock back, also when the upgrade failed.


def _end_orphans(connection: Connection) -> None:
    """End what a killed runner left at work in the server: nobody waits for it, and it holds locks.

    Its lock went with its other connection; a statement that runs goes on until the server looks.
    """
    deadline = time.monotonic() + ORPHANS_SECONDS
    while orphans := list(connection.scalars(ORPHANS, {"name": APPLICATION})):
        if time.monotonic() > deadline:
            raise MigrationError(f"sessions of a killed runner do not end: pids {orphans}")
        for pid in orphans:
            connection.execute(select(func.pg_terminate_backend(pid)))
            tell("orphan_ended", pid=pid)
        time.sleep(0.05)
