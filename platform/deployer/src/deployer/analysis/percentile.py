"""Percentiles of a histogram: the figure that belongs to a share of slow requests."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.metrics.latency import Latency

P95 = 0.95


@dataclass(frozen=True, slots=True)
class Percentile:
    """So many seconds, or more than that when `at_least`: the bucket has no upper end."""

    seconds: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'more than ' if self.at_least else ''}{self.seconds:.3g} s"


def p95_of(latency: Latency, *, requests: int, slow_seconds: float) -> Percentile | None:
    """Return the 95th percentile, linear within its bucket; None when nothing was measured.

    `requests` may be more than have finished: the others are still in flight, for longer than
    `slow_seconds`, and that is all that can be said of them.
    """
    finished = sum(latency.counts)
    if not finished:
        return None
    rank = P95 * max(requests, finished)
    below, lower = 0, 0.0
    for upper, count in zip(latency.bounds, latency.counts, strict=False):  # the last has no end
        if count and below + count >= rank:
            return Percentile(lower + (upper - lower) * (rank - below) / count)
        below, lower = below + count, upper
    if rank <= finished:
        return Percentile(lower, at_least=True)
    return Percentile(slow_seconds, at_least=True)
