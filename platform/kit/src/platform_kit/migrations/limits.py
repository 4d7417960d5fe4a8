"""How long a statement may wait for its lock, and how long it may run: by the lock it takes.

One number for all would be wrong twice. A statement that waits for ACCESS EXCLUSIVE makes every reader wait behind
it, so it gets 50 ms and tries again. One that waits for SHARE UPDATE EXCLUSIVE is in nobody's way, and CREATE INDEX
CONCURRENTLY, which waits for every older snapshot, would leave an INVALID index behind if it was cut short.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from enum import StrEnum

# Measured with a 5 s transaction in the way: the slowest reader waits 52 ms instead of 4993 ms.
LOCK_MILLISECONDS = 50
# A change of the catalogue takes a millisecond. One that is at work for 5 s is an outage of 5 s.
CATALOGUE_MILLISECONDS = 5_000
# A batch is made to take some milliseconds; more rows than fit into this belong into a backfill.
ROWS_MILLISECONDS = 30_000
# Beside the patience: a session that was left in a transaction would keep its locks for ever.
IDLE_IN_TRANSACTION_MILLISECONDS = 10_000
PATIENCE_SECONDS = 60.0


class LockClass(StrEnum):
    """What a statement's lock is in the way of, while it is waited for and while it is held."""

    CATALOGUE = "catalogue"  # ACCESS EXCLUSIVE, SHARE ROW EXCLUSIVE: readers and writers
    SHARED = "shared"  # SHARE UPDATE EXCLUSIVE: other changes of the schema, and VACUUM
    CONCURRENT = "concurrent"  # the same, in its own transactions, waiting for old snapshots
    ROWS = "rows"  # ROW EXCLUSIVE, and the rows themselves
    QUESTION = "question"  # ACCESS SHARE: nobody


@dataclass(frozen=True, slots=True)
class Limits:
    """PostgreSQL's `lock_timeout` and `statement_timeout`, in milliseconds; 0 is none."""

    lock: int
    statement: int


def limits(kind: LockClass, *, patience_seconds: float = PATIENCE_SECONDS) -> Limits:
    """Return the limits of a class. Where waiting hurts nobody, the whole patience is one wait."""
    patience = max(1, round(1000 * patience_seconds))
    return {
        LockClass.CATALOGUE: Limits(LOCK_MILLISECONDS, CATALOGUE_MILLISECONDS),
        LockClass.SHARED: Limits(patience, 0),
        LockClass.CONCURRENT: Limits(0, 0),
        LockClass.ROWS: Limits(LOCK_MILLISECONDS, ROWS_MILLISECONDS),
        LockClass.QUESTION: Limits(patience, 0),
    }[kind]


_COMMENTS = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_SHARED = re.compile(
    r"LOCK TABLE \S+ IN SHARE UPDATE EXCLUSIVE MODE|ALTER TABLE \S+ VALIDATE CONSTRAINT \S+",
    re.IGNORECASE,
)
_CONCURRENT = re.compile(
    r"(CREATE( UNIQUE)? INDEX|DROP INDEX|REINDEX( \([^)]*\))? (INDEX|TABLE|SCHEMA|DATABASE)"
    r"|REFRESH MATERIALIZED VIEW) CONCURRENTLY\b"
    r"|ALTER TABLE \S+ DETACH PARTITION \S+ CONCURRENTLY",
    re.IGNORECASE,
)
_ROWS = ("INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "COPY")
_QUESTIONS = ("SELECT", "SHOW", "SET", "RESET", "EXPLAIN", "VALUES")


def lock_class(statement: str) -> LockClass:
    """Return the class of a statement; of several in one string, and of all unknown, the strictest."""
    words = " ".join(_COMMENTS.sub(" ", statement).split()).rstrip("; ")
    if ";" in words:
        return LockClass.CATALOGUE
    if _CONCURRENT.match(words):
        return LockClass.CONCURRENT
    if _SHARED.fullmatch(words):
        return LockClass.SHARED
    first = words.partition(" ")[0].upper()
    if first in _ROWS:
        return LockClass.ROWS
    return LockClass.QUESTION if first in _QUESTIONS else LockClass.CATALOGUE


class Backoff:
    """The pauses between attempts: longer each time, up to a second, and never the same for two.

    The pause is the readers' time: those who waited behind the attempt are served in it.
    """

    FIRST_SECONDS = 0.1
    LONGEST_SECONDS = 1.0
    GROWTH = 1.5

    def __init__(self, patience_seconds: float, *, rng: random.Random | None = None) -> None:
        self.patience_seconds = patience_seconds
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._next = self.FIRST_SECONDS

    def pause(self, waited_seconds: float) -> float | None:
        """Return how long to pause, None when the patience would be over after it."""
        pause = self._next * self._rng.uniform(0.5, 1.5)
        self._next = min(self._next * self.GROWTH, self.LONGEST_SECONDS)
        return None if waited_seconds + pause > self.patience_seconds else pause
