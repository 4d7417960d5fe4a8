"""A bulkhead: of an instance's threads only some may wait for one dependency, so that the others go on.

Three quarters of them may call it at once. Who comes when all places are taken waits for one as long as calls are short,
so a busy but healthy dependency refuses nobody. Half a second without a short one, or a call that took as long, ends the
patience: from then on everybody else is refused at once, until a call was short again. So a hung or slow dependency
costs the last quarter of the threads that half second, once. Shorter would refuse healthy requests: a machine under
load or a disk that syncs stalls all calls for some tenths of a second. A new instance, whose first calls open their
connections while all its threads are wanted at once, has more patience until a call was short for the first time. While
the whole process is stopped, no time passes here.
"""

from __future__ import annotations

import threading
from typing import NewType

from platform_kit import deadline
from platform_kit.awake import awake_seconds
from platform_kit.liveness import Clock
from platform_kit.settings import InstanceSettings

THREADS_SHARE = 0.75
LONG_SECONDS = 0.5
COLD_SECONDS = 3.0

Entered = NewType("Entered", float)


def share_of_threads() -> int:
    """Return how many of this instance's threads may be at one dependency: always fewer than all."""
    threads = InstanceSettings.current().threads
    return max(1, int(threads * THREADS_SHARE))


class Bulkhead:
    """So many places. Safe to use from any thread."""

    def __init__(
        self,
        places: int,
        *,
        long_seconds: float = LONG_SECONDS,
        cold_seconds: float = COLD_SECONDS,
        clock: Clock = awake_seconds,
    ) -> None:
        self.places = places
        self._long_seconds = long_seconds
        self._cold_seconds = cold_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._taken = 0
        self._is_patient = True
        self._is_warm = False
        self._answered_at = clock()  # in a short time

    @property
    def taken(self) -> int:
        """How many places are taken now."""
        return self._taken

    def enter(self) -> Entered | None:
        """Take a place, if need be after a wait within the current deadline; None if there is none."""
        with self._changed:
            arrived_at = self._clock()
            while self._taken >= self.places:
                patience = max(arrived_at, self._answered_at) + self._longest() - self._clock()
                if patience <= 0:
                    self._is_patient = False
                    self._changed.notify_all()
                patience = deadline.remaining_seconds(patience)
                if patience <= 0 or not self._is_patient:
                    return None
                self._changed.wait(patience)
            self._taken += 1
            return Entered(self._clock())

    def leave(self, entered: Entered, *, answered: bool) -> None:
        """Give the place back; only an answer in a short time brings patience back, failing fast does not."""
        with self._changed:
            self._taken -= 1
            now = self._clock()
            is_short = now - entered < self._long_seconds
            if is_short and answered:
                self._is_patient = self._is_warm = True
                self._answered_at = now
            elif self._is_warm and not is_short:
                self._is_patient = False
            self._changed.notify_all()

    def _longest(self) -> float:
        return self._long_seconds if self._is_warm else self._cold_seconds
