"""A bulkhead: of an instance's threads only some may wait for one dependency, so that the others go on.

Three quarters of them may call it at once. Who comes when all places are taken waits only as long as places change
hands: where none did for half a second, the dependency is stuck and everybody else is refused at once. So a busy but
healthy one, whose calls take milliseconds, refuses nobody, and a hung one costs the last quarter of the threads that
half second, once. Shorter would refuse healthy requests: a machine under load, a cold pool of connections or a disk that
syncs stall all calls for some tenths of a second.
"""

from __future__ import annotations

import threading
import time

from platform_kit import deadline
from platform_kit.liveness import Clock
from platform_kit.settings import InstanceSettings, load_settings

THREADS_SHARE = 0.75
STUCK_SECONDS = 0.5


def share_of_threads() -> int:
    """Return how many of this instance's threads may be at one dependency: always fewer than all."""
    threads = load_settings(InstanceSettings).threads
    return max(1, int(threads * THREADS_SHARE))


class Bulkhead:
    """So many places. Safe to use from any thread."""

    def __init__(
        self,
        places: int,
        *,
        stuck_seconds: float = STUCK_SECONDS,
        clock: Clock = time.monotonic,
    ) -> None:
        self.places = places
        self._stuck_seconds = stuck_seconds
        self._clock = clock
        self._free = threading.Condition()
        self._taken = 0
        self._moved_at = clock()

    @property
    def taken(self) -> int:
        """How many places are taken now."""
        return self._taken

    def enter(self) -> bool:
        """Take a place, if need be after a wait within the current deadline; False if there is none."""
        with self._free:
            while self._taken >= self.places:
                patience = self._moved_at + self._stuck_seconds - self._clock()
                patience = deadline.remaining_seconds(patience)
                if patience <= 0:
                    return False
                self._free.wait(patience)
            self._taken += 1
            self._moved_at = self._clock()
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._free:
            self._taken -= 1
            self._moved_at = self._clock()
            self._free.notify()
