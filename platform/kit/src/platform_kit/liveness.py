"""What happens to the requests of this process, and whether that is still life.

The worker's main loop tells `Activity` of every connection that asks for a thread; threads tell when they take one.
The process counts as dead only when requests wait and none has finished for a minute: never because of a
dependency, and never because it is idle or merely slow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

# Longer than any request is allowed to take, so that slow is never mistaken for stuck.
STALL_SECONDS = 60.0

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Load:
    """How many requests wait for a thread, have one, and how long none has got on."""

    waiting: int
    running: int
    stalled_seconds: float

    @property
    def in_flight(self) -> int:
        """Requests that were taken in and are not answered yet."""
        return self.waiting + self.running

    @property
    def alive(self) -> bool:
        """False only when requests wait and none has finished for `STALL_SECONDS`."""
        return self.waiting == 0 or self.stalled_seconds < STALL_SECONDS


class Activity:
    """Counts requests between arrival, start and finish. Safe to use from any thread."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._running = 0
        now = clock()
        self._arrived_at = now
        self._finished_at = now
        self._waiting_since = now
        self.draining = False

    def arrived(self) -> None:
        """Note a request that asks for a thread."""
        with self._lock:
            self._arrived_at = self._clock()
            if self._waiting == 0:
                self._waiting_since = self._arrived_at
            self._waiting += 1

    def started(self) -> None:
        """Note that a thread has taken one."""
        with self._lock:
            self._waiting -= 1
            self._running += 1

    def finished(self) -> None:
        """Note that a thread is done with one."""
        with self._lock:
            self._running -= 1
            self._finished_at = self._clock()

    def load(self) -> Load:
        """Return the present counts."""
        with self._lock:
            since = max(self._finished_at, self._waiting_since)
            stalled = self._clock() - since if self._waiting else 0.0
            return Load(self._waiting, self._running, stalled)

    def drain(self) -> None:
        """Note that the instance is about to stop: quiet counts from now on."""
        with self._lock:
            self.draining = True
            self._arrived_at = self._clock()

    def quiet_seconds(self) -> float:
        """Return for how long nothing has arrived, 0 while anything is in flight."""
        with self._lock:
            if self._waiting + self._running:
                return 0.0
            return self._clock() - self._arrived_at
