"""A circuit breaker: a dependency that fails is left alone, and asked again after a second.

Closed, everything passes. Ten failures in a row, or three quarters of the last forty calls, open it: then nothing passes
for a second. After that it is half-open: one call, the probe, passes and decides. So at most one call a second waits for
a dependency that hangs, and after its last time-out the service recovers within a second and a call.

Ten in a row and no fewer: behind the router there are two slots. One that is bad and gets half of the calls would open
a limit of five every 64 calls, and take the good slot's half away; ten in a row it has once in 2,000.

Own code, because none of the libraries fits threads: pybreaker holds its lock while the call runs, so that only one
runs at a time (danielfm/pybreaker, issues 3 and 55), circuitbreaker has no lock (fabfuel/circuitbreaker, issue 61), and
purgatory lets every call pass when half-open (`HalfOpenedState.handle_new_request`).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from enum import IntEnum
from typing import NewType

from platform_kit.liveness import Clock
from platform_kit.logs import logger

FAILURES_IN_A_ROW = 10
WINDOW_CALLS = 40
FAILED_SHARE = 0.75
OPEN_SECONDS = 1.0

Ticket = NewType("Ticket", int)

log = logger(__name__)


class State(IntEnum):
    """What `/metrics` shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """The circuit to one dependency. Safe to use from any thread; no lock is held while a call runs."""

    def __init__(self, name: str, *, clock: Clock = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._open_until = 0.0
        self._probing = False
        self._in_a_row = 0
        self._failed: deque[bool] = deque(maxlen=WINDOW_CALLS)
        # Rises with every change of state: a call that began before one has no say after it.
        self._period = 0
        self.opened = 0

    @property
    def state(self) -> State:
        """The state of now; an open circuit stays so until the first call after its second."""
        return self._state

    def enter(self) -> Ticket | None:
        """Return a ticket for a call, to be given to `leave`; None if it must not be made."""
        with self._lock:
            if self._state is State.OPEN and self._clock() >= self._open_until:
                self._become(State.HALF_OPEN)
            if self._state is State.OPEN or self._probing:
                return None
            self._probing = self._state is State.HALF_OPEN
            return Ticket(self._period)

    def leave(self, ticket: Ticket, *, failed: bool | None) -> None:
        """Say how the call ended; None if that says nothing about the dependency."""
        with self._lock:
            if ticket != self._period:
                return
            if self._state is State.HALF_OPEN:
                self._probing = False
                if failed is not None:
                    self._become(State.OPEN if failed else State.CLOSED)
            elif failed is not None:
                self._in_a_row = self._in_a_row + 1 if failed else 0
                self._failed.append(failed)
                if self._is_too_much():
                    self._become(State.OPEN)

    def retry_after_seconds(self) -> int:
        """Return whole seconds until it may be worth to ask again."""
        return max(1, math.ceil(self._open_until - self._clock()))

    def _is_too_much(self) -> bool:
        share_needed = len(self._failed) * FAILED_SHARE
        is_window_full = len(self._failed) == WINDOW_CALLS
        return self._in_a_row >= FAILURES_IN_A_ROW or (
            is_window_full and sum(self._failed) >= share_needed
        )

    def _become(self, state: State) -> None:
        self._state = state
        self._period += 1
        self._in_a_row = 0
        self._failed.clear()
        if state is State.OPEN:
            self.opened += 1
            self._open_until = self._clock() + OPEN_SECONDS
            log.warning("circuit_opened", dependency=self._name)
        elif state is State.CLOSED:
            log.info("circuit_closed", dependency=self._name)
