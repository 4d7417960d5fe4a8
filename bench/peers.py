"""How peers decide, for `bench/analysis.py`: three rules on the requests that one of ours sees too.

Each is fed what came in a second, and says whether it would roll back then. `bad` picks what is
looked at: failed requests, or slow ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from statistics import NormalDist

from deployer.analysis import Counts

Bad = Callable[[Counts], int]

LIMIT = 0.05
WINDOW_SECONDS = 60
FAILED_CHECKS = 3  # Argo's docs speak of three, Flagger's default metric window is a minute
RATE_SECONDS = 300  # rate(...[5m])
STEP_SECONDS = 60
LOOK_SECONDS = 300
ALPHA = 0.05


class StaticThreshold:
    """More than 5 % bad in a window of 60 s, `checks` windows in all; no minimum of requests."""

    def __init__(self, bad: Bad, *, checks: int = 1) -> None:
        self._bad = bad
        self._checks_left = checks
        self._seconds = self._requests = self._failed = 0

    def rolls_back(self, candidate: Counts, live: Counts) -> bool:
        """Take in one second."""
        del live
        self._seconds += 1
        self._requests += candidate.requests
        self._failed += self._bad(candidate)
        if self._seconds < WINDOW_SECONDS:
            return False
        if self._failed > LIMIT * self._requests:
            self._checks_left -= 1
        self._seconds = self._requests = self._failed = 0
        return self._checks_left <= 0


class MannWhitney:
    """A U test on both slots' ratios as PipeCD's: rate over 5 min, step 60 s, a look in 5 min."""

    def __init__(self, bad: Bad) -> None:
        self._bad = bad
        self._seconds = 0
        self._sums = [0, 0, 0, 0]
        self._last = deque([(0, 0, 0, 0)] * RATE_SECONDS, maxlen=RATE_SECONDS)
        self._candidate: list[float] = []
        self._live: list[float] = []

    def rolls_back(self, candidate: Counts, live: Counts) -> bool:
        """Take in one second."""
        self._seconds += 1
        now = candidate.requests, self._bad(candidate), live.requests, self._bad(live)
        gone = self._last[0]
        self._last.append(now)
        self._sums = [s + n - g for s, n, g in zip(self._sums, now, gone, strict=True)]
        if self._seconds % STEP_SECONDS == 0:
            requests, failed, live_requests, live_failed = self._sums
            if requests and live_requests:  # an empty series has no point
                self._candidate.append(failed / requests)
                self._live.append(live_failed / live_requests)
        if self._seconds % LOOK_SECONDS:
            return False
        p = mann_whitney(self._candidate, self._live)
        self._candidate, self._live = self._candidate[-1:], self._live[-1:]  # both ends count
        return p < ALPHA


def mann_whitney(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the two-sided p of a U test: normal approximation, with ties and continuity."""
    n, m = len(xs), len(ys)
    if not n or not m:
        return 1.0
    both = sorted((*xs, *ys))
    ranks: dict[float, float] = {}
    ties, at = 0.0, 0
    while at < len(both):
        size = both.count(both[at])
        ranks[both[at]] = at + (size + 1) / 2
        ties += size**3 - size
        at += size
    u = sum(ranks[x] for x in xs) - n * (n + 1) / 2
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0.0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return 2.0 * (1.0 - NormalDist().cdf(z))
