"""The ledger of one machine: a SQLite file.

Every write is one transaction and on disk before the call returns (`synchronous=FULL`). A lease
lapses when its term is over, or at once when its holder is a process of this machine that is gone:
whoever comes next need not wait for the term.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deployer.ledger.holder import LEASE_SECONDS, holder_is_gone
from deployer.ledger.protocol import (
    Entry,
    Header,
    Lease,
    LeaseHeldError,
    Request,
    StaleFenceError,
    Verb,
)
from deployer.model import Fence, RolloutId, ServiceName

SCHEMA = """
CREATE TABLE IF NOT EXISTS lease (
    service TEXT PRIMARY KEY, holder TEXT, fence INTEGER NOT NULL, since REAL, expires REAL);
CREATE TABLE IF NOT EXISTS rollout (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, "order" TEXT NOT NULL,
    started_at REAL NOT NULL, finished_at REAL, outcome TEXT);
CREATE TABLE IF NOT EXISTS event (
    rollout INTEGER NOT NULL REFERENCES rollout, number INTEGER NOT NULL, at REAL NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL, headline TEXT NOT NULL, PRIMARY KEY (rollout, number));
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY, rollout INTEGER NOT NULL REFERENCES rollout, at REAL NOT NULL,
    verb TEXT NOT NULL, "by" TEXT NOT NULL, why TEXT NOT NULL, taken INTEGER NOT NULL DEFAULT 0);
"""


class FileLedger:
    """A Ledger in one SQLite file, for any number of threads and processes of one machine."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        with self._write() as db:
            for statement in SCHEMA.split(";"):
                db.execute(statement)

    def acquire(self, service: ServiceName, holder: str, *, now: float) -> Lease:
        """Take the lease, or raise LeaseHeldError while a living holder has it."""
        with self._write() as db:
            row = db.execute(
                "SELECT holder, fence, since, expires FROM lease WHERE service = ?", (service,)
            ).fetchone()
            fence = 0
            if row is not None:
                current, fence, since, expires = row
                if current is not None and expires > now and not holder_is_gone(current):
                    raise LeaseHeldError(Lease(service, current, Fence(fence), since), now=now)
            lease = Lease(service, holder, Fence(fence + 1), now)
            db.execute(
                "INSERT INTO lease VALUES (?, ?, ?, ?, ?) ON CONFLICT (service) DO UPDATE SET"
                " holder = excluded.holder, fence = excluded.fence, since = excluded.since,"
                " expires = excluded.expires",
                (service, holder, lease.fence, now, now + LEASE_SECONDS),
            )
        return lease

    def renew(self, lease: Lease, *, now: float) -> None:
        """Keep the lease for another term; raise StaleFenceError when it is gone."""
        with self._write() as db:
            self._require(db, lease)
            db.execute(
                "UPDATE lease SET expires = ? WHERE service = ?",
                (now + LEASE_SECONDS, lease.service),
            )

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens when it is gone already."""
        with self._write() as db:
            db.execute(
                "UPDATE lease SET holder = NULL WHERE service = ? AND fence = ?",
                (lease.service, lease.fence),
            )

    def begin(self, lease: Lease, order: str, *, now: float) -> RolloutId:
        """Record a new rollout of the lease's service."""
        with self._write() as db:
            self._require(db, lease)
            cursor = db.execute(
                'INSERT INTO rollout (service, "order", started_at) VALUES (?, ?, ?)',
                (lease.service, order, now),
            )
        return RolloutId(int(cursor.lastrowid or 0))

    def append(
        self, lease: Lease, rollout: RolloutId, entry: Entry, *, answers: Sequence[Request] = ()
    ) -> None:
        """Write an event, durably, and take the wishes it answers; raise StaleFenceError."""
        with self._write() as db:
            self._require(db, lease)
            db.execute(
                "INSERT INTO event SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?"
                " FROM event WHERE rollout = ?",
                (rollout, entry.at, entry.kind, entry.body, entry.headline, rollout),
            )
            db.executemany(
                "UPDATE request SET taken = 1 WHERE id = ?", [(each.number,) for each in answers]
            )

    def finish(self, lease: Lease, rollout: RolloutId, outcome: str, *, now: float) -> None:
        """Close a rollout with its outcome."""
        with self._write() as db:
            self._require(db, lease)
            db.execute(
                "UPDATE rollout SET outcome = ?, finished_at = ? WHERE id = ?",
                (outcome, now, rollout),
            )

    def entries(self, service: ServiceName, rollout: RolloutId) -> tuple[Entry, ...]:
        """Return a rollout's events in the order they were written."""
        del service  # numbers count for the whole machine
        rows = self._db.execute(
            "SELECT at, kind, body, headline FROM event WHERE rollout = ? ORDER BY number",
            (rollout,),
        )
        return tuple(Entry(*row) for row in rows)

    def history(self, service: ServiceName, *, limit: int = 50) -> tuple[Header, ...]:
        """Return a service's rollouts, newest first."""
        rows = self._db.execute(
            'SELECT id, service, "order", started_at, finished_at, outcome FROM rollout'
            " WHERE service = ? ORDER BY id DESC LIMIT ?",
            (service, limit),
        )
        return tuple(Header(*row) for row in rows)

    def request(self, service: ServiceName, rollout: RolloutId, request: Request) -> None:
        """Leave a wish for whoever holds the rollout."""
        del service
        with self._write() as db:
            db.execute(
                'INSERT INTO request (rollout, at, verb, "by", why) VALUES (?, ?, ?, ?, ?)',
                (rollout, request.at, request.verb, request.by, request.why),
            )

    def has_requests(self, service: ServiceName, rollout: RolloutId) -> bool:
        """Whether a wish waits; cheap enough to ask ten times a second."""
        del service
        found = self._db.execute(
            "SELECT 1 FROM request WHERE rollout = ? AND NOT taken LIMIT 1", (rollout,)
        )
        return found.fetchone() is not None

    def requests(self, service: ServiceName, rollout: RolloutId) -> tuple[Request, ...]:
        """Return the wishes that wait for an answer, oldest first."""
        del service
        rows = self._db.execute(
            'SELECT at, verb, "by", why, id FROM request WHERE rollout = ? AND NOT taken'
            " ORDER BY id",
            (rollout,),
        )
        return tuple(Request(at, Verb(verb), by, why, number) for at, verb, by, why, number in rows)

    @staticmethod
    def _require(db: sqlite3.Connection, lease: Lease) -> None:
        row = db.execute(
            "SELECT holder, fence FROM lease WHERE service = ?", (lease.service,)
        ).fetchone()
        if row != (lease.holder, lease.fence):
            raise StaleFenceError(lease.service, lease.fence)

    @property
    def _db(self) -> sqlite3.Connection:
        # One connection a thread: the heartbeat writes beside the driver.
        if not hasattr(self._local, "db"):
            db = sqlite3.connect(self._path, timeout=10.0, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            self._local.db = db
        connection: sqlite3.Connection = self._local.db
        return connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
