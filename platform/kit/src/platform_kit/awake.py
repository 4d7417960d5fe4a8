"""A clock that stands still while this process does not run.

A process is stopped now and then: a debugger, a virtual machine that moves, a container that has used up its share of
the CPU. Measured on the wall, each call under way then took long, and the dependency gets the blame. A thread looks at the
wall's clock every tenth of a second; what passes between two looks counts for a quarter of a second at most.
"""

from __future__ import annotations

import os
import threading
import time

from platform_kit.liveness import Clock

LOOK_SECONDS = 0.1
# Above what a look may be late on a busy machine: time lost to others on it is no pause.
COUNTED_SECONDS = 0.25


class AwakeClock:
    """Seconds that this process has run, a moment's pause included. Safe to use from any thread."""

    def __init__(self, wall: Clock = time.monotonic) -> None:
        self._wall = wall
        # The wall's time and this clock's at the last look: one object, so that nobody sees half of a change.
        self._looked = (wall(), 0.0)

    def __call__(self) -> float:
        """Return the seconds so far; they never go back."""
        at, seconds = self._looked
        return seconds + min(COUNTED_SECONDS, self._wall() - at)

    def look(self) -> None:
        """Count what has passed since the last look; for one thread."""
        at, seconds = self._looked
        now = self._wall()
        self._looked = (now, seconds + min(COUNTED_SECONDS, now - at))


_clock = AwakeClock()
_is_looked_at = False
_starting = threading.Lock()


def awake_seconds() -> float:
    """Return the seconds that this process has run since some moment; the first call starts the thread."""
    if not _is_looked_at:
        _start()
    return _clock()


def _start() -> None:
    global _is_looked_at  # noqa: PLW0603 - one clock a process
    with _starting:
        if not _is_looked_at:
            threading.Thread(target=_keep_looking, name="awake", daemon=True).start()
            _is_looked_at = True


def _begin_anew() -> None:
    global _is_looked_at, _starting
    _is_looked_at, _starting = False, threading.Lock()


# Neither a thread nor who held a lock lives on in a fork.
os.register_at_fork(after_in_child=_begin_anew)


def _keep_looking() -> None:
    while True:
        _clock.look()
        time.sleep(LOOK_SECONDS)
