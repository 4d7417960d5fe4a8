"""When a signing key begins, takes over and goes: pure.

A key is published for `LEAD` before it signs, which is longer than any verifier keeps what it fetched
(`platform_kit.tokens`, five minutes): its first token meets nobody who has never heard of it. The key before it stays
published until the last token that it signed has expired. Keys are changed by themselves when they are `OLD`, and by
`python -m auth rotate-keys`; nobody has to wait up for either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from auth.tokens import LIFETIME

LEAD = timedelta(minutes=15)
# A token that was being signed while the next key took over, and clocks that differ.
KEPT = LIFETIME + timedelta(minutes=1)
OLD = timedelta(days=90)
# The serial of the key that waits for its turn. At most one does: serials are the table's key.
NEXT = 0


@dataclass(frozen=True, slots=True)
class KeyDates:
    """What decides about a key. One without `signs_since` signs since it was made, or waits."""

    serial: int
    created_at: datetime
    signs_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done with the keys now."""

    promote: bool = False
    announce: bool = False
    retire: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self.promote or self.announce or bool(self.retire)


def due(keys: Sequence[KeyDates], now: datetime) -> Due:
    """Say what is to be done with these keys, the newest first."""
    waiting = [key for key in keys if key.serial == NEXT]
    signed = [key for key in keys if key.serial != NEXT]
    return Due(
        promote=any(key.created_at + LEAD <= now for key in waiting),
        announce=not waiting and bool(signed) and _since(signed[0]) + OLD <= now,
        retire=tuple(old.serial for newer, old in pairwise(signed) if _since(newer) + KEPT <= now),
    )


def _since(key: KeyDates) -> datetime:
    return key.signs_since or key.created_at
