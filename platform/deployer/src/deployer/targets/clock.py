"""A clock whose seconds pass when somebody sleeps: a rollout of hours takes milliseconds.

Alarms ring on the way, each at its own time, so that a fault can begin in the middle of a wait. A
virtual clock belongs to one thread.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Alarm = Callable[[], None]


class VirtualClock:
    """Time that obeys. Begins at `at`, in seconds."""

    def __init__(self, at: float = 0.0) -> None:
        self._now = at
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()  # alarms of one moment ring in the order they were set

    def now(self) -> float:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and ring what is due on the way."""
        until = self._now + seconds
        alarms = self._alarms
        while alarms and alarms[0][0] <= until:
            at, _, ring = heapq.heappop(alarms)
            self._now = max(self._now, at)
            ring()
        self._now = max(self._now, until)

    def set_alarm(self, at: float, ring: Alarm) -> None:
        """Have something done at a time; what lies in the past is done at the next sleep."""
        heapq.heappush(self._alarms, (at, next(self._numbers), ring))
