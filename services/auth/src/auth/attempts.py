"""Count what failed, in the database, so that all instances of both slots count together.

What is counted is an email address, whether it has an account or not, and the address that the client calls from: the
answers for an address without an account are those for one that has. The table stays small: each failure takes some
rows along that say nothing any more, and a failure costs the sender a password hash of ours.

Problem
    TooManyFailures   the caller waits for as long as `Retry-After` says
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy.dialects.postgresql import insert

from auth import throttle
from auth.tables import failed_attempts
from auth.throttle import Bucket, Rule
from platform_kit import Problem
from platform_kit.sweeping import delete_some

# More than the two that a failure adds, so that the forgotten ones become fewer.
_SWEPT = 10


class TooManyFailures(Problem):
    """This address, or this client, has failed too often lately. Which of the two is not told."""

    def __init__(self, left: timedelta) -> None:
        seconds = math.ceil(left.total_seconds())
        super().__init__(
            429,
            "too_many_attempts",
            "Too many attempts have failed. Wait, then try again.",
            headers={"Retry-After": str(seconds)},
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """What an attempt is counted under: the email address it is for, and the client it comes from."""

    email: str | None
    client: str | None

    def rules(self) -> dict[bytes, Rule]:
        """Return the rule of each key, in the order in which everybody locks them."""
        return dict(sorted(self._rules()))

    def account_key(self) -> bytes:
        """Return the key of the email address."""
        return sha256(f"account {self.email}".encode()).digest()

    def _rules(self) -> Iterator[tuple[bytes, Rule]]:
        if self.email is not None:
            yield self.account_key(), throttle.ACCOUNT
        if self.client is not None:
            yield sha256(f"client {self.client}".encode()).digest(), throttle.ADDRESS


def refuse_locked(connection: Connection, origin: Origin, *, now: datetime) -> None:
    """Raise `TooManyFailures` while the email address or the client is locked."""
    rows = connection.execute(_counted(origin))
    if left := _longest(map(_bucket, rows), now):
        raise TooManyFailures(left)


def forgive(connection: Connection, origin: Origin, *, now: datetime) -> None:
    """Forget the failures of the email address, whose owner is here; raise `TooManyFailures` if it is locked by now.

    The client's failures stay: it may own one address and guess at many.
    """
    rows = connection.execute(_counted(origin).with_for_update())
    if left := _longest(map(_bucket, rows), now):
        raise TooManyFailures(left)
    _store(connection, origin.account_key(), Bucket(0, now))


def count_failure(connection: Connection, origin: Origin, *, now: datetime) -> timedelta | None:
    """Count a failure; return how much longer the caller was locked out already, None if not.

    An attempt that was begun before the lock and ends after it is not counted, and must not be told how it ended: else
    who sends a thousand guesses at once would learn about a thousand.
    """
    rules = origin.rules()
    if not rules:
        return None
    buckets = _held(connection, rules, now=now)
    left = _longest(buckets.values(), now)
    if left is None:
        for key, bucket in buckets.items():
            _store(connection, key, bucket.filled(rules[key], now))
    _sweep(connection, now=now)
    return left


def _counted(origin: Origin) -> Select[Any]:
    """Return the query for the rows of an origin, in the order in which everybody locks them."""
    keys = list(origin.rules())
    return (
        select(failed_attempts)
        .where(failed_attempts.c.key.in_(keys))
        .order_by(failed_attempts.c.key)
    )


def _held(
    connection: Connection, rules: Mapping[bytes, Rule], *, now: datetime
) -> dict[bytes, Bucket]:
    """Return the buckets of these keys, locked until the transaction ends, also where there was none."""
    fresh = insert(failed_attempts).values(
        [{"key": key, "failures": 0, "leaks_from": now} for key in rules]
    )
    # Changes nothing, but locks the row and returns it, also if it was deleted a moment ago.
    held = fresh.on_conflict_do_update(
        index_elements=["key"], set_={"failures": failed_attempts.c.failures}
    ).returning(failed_attempts)
    return {row.key: _bucket(row) for row in connection.execute(held)}


def _bucket(row: Row[Any]) -> Bucket:
    return Bucket(row.failures, row.leaks_from, row.locked_until)


def _longest(buckets: Iterable[Bucket], now: datetime) -> timedelta | None:
    lefts = (bucket.lock_left(now) for bucket in buckets)
    return max((left for left in lefts if left is not None), default=None)


def _store(connection: Connection, key: bytes, bucket: Bucket) -> None:
    values = {
        "failures": bucket.failures,
        "leaks_from": bucket.leaks_from,
        "locked_until": bucket.locked_until,
    }
    connection.execute(update(failed_attempts).where(failed_attempts.c.key == key).values(values))


def _sweep(connection: Connection, *, now: datetime) -> None:
    key = failed_attempts.c.key
    is_forgotten = failed_attempts.c.leaks_from < now - throttle.FORGOTTEN_AFTER
    delete_some(connection, failed_attempts, key, select(key).where(is_forgotten).limit(_SWEPT))
