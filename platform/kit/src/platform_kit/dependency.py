"""One part that a service depends on, as all its threads see it: a bulkhead, a circuit, a budget, and counts.

Whoever calls it does so in `with dependency.call() as call` and says in the block how the call ended. A call that
must not be made is refused by `NotCalled` at once. What went through is on `/metrics`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from platform_kit.breaker import Breaker, Ticket
from platform_kit.bulkhead import Bulkhead, Entered, share_of_threads
from platform_kit.errors import NotCalled
from platform_kit.retries import RetryBudget


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    FAILED = "failed"  # a 5xx, a broken connection, what is no protocol
    TIMED_OUT = "timed_out"
    CUT_SHORT = "cut_short"  # by the caller's deadline: it says nothing about the dependency
    CIRCUIT_OPEN = "circuit_open"  # not made
    FULL = "full"  # not made: all places of the bulkhead are taken


class Call:
    """A call under way; until told otherwise it will have been answered."""

    def __init__(self) -> None:
        self.outcome = Outcome.ANSWERED


class Dependency:
    """A part by its name. Safe to use from any thread."""

    def __init__(
        self,
        name: str,
        *,
        bulkhead: Bulkhead | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self.name = name
        self.bulkhead = bulkhead or Bulkhead(share_of_threads())
        self.breaker = breaker or Breaker(name)
        self.budget = RetryBudget()
        self._lock = threading.Lock()
        self._outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))

    @contextmanager
    def call(self) -> Iterator[Call]:
        """Let one call through; raise `NotCalled` if it must not be made."""
        entered, ticket = self._admit()
        call = Call()
        try:
            yield call
        finally:
            self.bulkhead.leave(entered, answered=call.outcome is Outcome.ANSWERED)
            self.breaker.leave(ticket, failed=_failed(call.outcome))
            self._count(call.outcome)

    def outcomes(self) -> dict[Outcome, int]:
        """Return how often each outcome has been."""
        with self._lock:
            return dict(self._outcomes)

    def _admit(self) -> tuple[Entered, Ticket]:
        entered = self.bulkhead.enter()
        if entered is None:
            self._count(Outcome.FULL)
            cause = f"all {self.bulkhead.places} calls that may be made at once are waiting for it"
            raise NotCalled(self.name, cause=cause)
        ticket = self.breaker.enter()
        if ticket is None:
            self.bulkhead.leave(entered, answered=False)
            self._count(Outcome.CIRCUIT_OPEN)
            after = self.breaker.retry_after_seconds()
            cause = "it failed too often lately and is not asked for a moment"
            raise NotCalled(self.name, cause=cause, retry_after_seconds=after)
        return entered, ticket

    def _count(self, outcome: Outcome) -> None:
        with self._lock:
            self._outcomes[outcome] += 1


def _failed(outcome: Outcome) -> bool | None:
    return None if outcome is Outcome.CUT_SHORT else outcome is not Outcome.ANSWERED
