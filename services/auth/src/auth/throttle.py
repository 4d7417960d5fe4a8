"""How many failures are too many, and for how long: pure.

Failures fill a bucket that leaks. A bucket that is full is locked for a while; after that there is room for as
many more as have leaked meanwhile, so that who goes on guessing is slowed down to the leak, and who comes back the next
day begins anew. While it is locked nothing is counted: a storm of guesses does not make the lock longer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """A bucket takes `room` failures, loses one in each `leak`, and is locked for `lock` when full."""

    room: int
    leak: timedelta
    lock: timedelta


# An account: ten typing errors in a row, then a try in a quarter of an hour: a hundred guesses a day, which is
# what NIST SP 800-63B, 5.2.2 allows in a row.
ACCOUNT = Rule(room=10, leak=timedelta(minutes=30), lock=timedelta(minutes=15))
# An address: a school or an office is behind one. After a hundred, ten in a minute.
ADDRESS = Rule(room=100, leak=timedelta(seconds=6), lock=timedelta(minutes=1))
# When the slowest bucket is empty: what was not counted for that long says nothing any more.
FORGOTTEN_AFTER = max(rule.room * rule.leak for rule in (ACCOUNT, ADDRESS))


@dataclass(frozen=True, slots=True)
class Bucket:
    """Failures that have not leaked out, and the lock that came of them. What leaks is counted from `leaks_from`."""

    failures: int
    leaks_from: datetime
    locked_until: datetime | None = None

    def lock_left(self, now: datetime) -> timedelta | None:
        """Return how much longer it is locked, None when it is not."""
        if self.locked_until is None or self.locked_until <= now:
            return None
        return self.locked_until - now

    def filled(self, rule: Rule, now: datetime) -> "Bucket":
        """Return the bucket with one more failure; one that is locked does not change."""
        if self.lock_left(now) is not None:
            return self
        leaked = max(0, (now - self.leaks_from) // rule.leak)
        left = max(0, self.failures - leaked)
        failures = min(left + 1, rule.room)
        return Bucket(
            failures,
            leaks_from=self.leaks_from + leaked * rule.leak if left else now,
            locked_until=now + rule.lock if failures == rule.room else None,
        )
