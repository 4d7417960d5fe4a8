"""Requests counted: how many, how many failed, were slow, were refused.

The one word that the router's page, a look and the analysis share. It lives in the lowest layer
that needs it, and imports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one slot, as running totals or as what came in between.

    `failed` got a 5xx or no answer, `slow` took longer than 1 s (or is in flight for longer),
    `refused` got a 4xx. A request can be slow and failed: both count it.
    """

    requests: int = 0
    failed: int = 0
    slow: int = 0
    refused: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.requests + other.requests,
            self.failed + other.failed,
            self.slow + other.slow,
            self.refused + other.refused,
        )

    def since(self, previous: Counts) -> Counts:
        """Return what came after `previous`, both being running totals.

        A total that is smaller than before means that the counters began again at zero (the router
        restarted, a series was dropped): all of it came after. What was counted between `previous`
        and the restart is lost, never guessed.
        """
        if (
            self.requests < previous.requests
            or self.failed < previous.failed
            or self.slow < previous.slow
            or self.refused < previous.refused
        ):
            return self
        return Counts(
            self.requests - previous.requests,
            self.failed - previous.failed,
            self.slow - previous.slow,
            self.refused - previous.refused,
        )


NO_COUNTS = Counts()
