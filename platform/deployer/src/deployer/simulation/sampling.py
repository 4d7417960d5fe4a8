"""Numbers of requests, drawn: binomial and Poisson by inversion of a table that is kept.

The standard library's binomial came with Python 3.12, and it has no Poisson. The same few
distributions are drawn thousands of times in a simulation, so each gets its cumulative table once,
cut where less than 1e-15 is left, and a draw is one bisection: about half a microsecond.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache
from random import Random

_DEVIATIONS = 9.0  # a tail beyond nine standard deviations is below what a float can tell
_SLACK = 20  # and some, for skewed distributions with small means

Table = tuple[int, tuple[float, ...]]
"""The first value that can come, and the cumulative probabilities from there on."""


def binomial(rng: Random, n: int, share: float) -> int:
    """Draw how many of n happen, each with a chance of `share`."""
    if n <= 0 or share <= 0.0:
        return 0
    if share >= 1.0:
        return n
    first, cumulative = _binomial_table(n, share)
    return first + bisect_left(cumulative, rng.random())


def poisson(rng: Random, mean: float) -> int:
    """Draw how many come when `mean` are expected."""
    if mean <= 0.0:
        return 0
    first, cumulative = _poisson_table(mean)
    return first + bisect_left(cumulative, rng.random())


@lru_cache(maxsize=8192)
def _binomial_table(n: int, share: float) -> Table:
    mean, deviation = n * share, math.sqrt(n * share * (1.0 - share))
    first, last = _support(mean, deviation)
    last = min(n, last)
    log = (
        math.lgamma(n + 1)
        - math.lgamma(first + 1)
        - math.lgamma(n - first + 1)
        + first * math.log(share)
        + (n - first) * math.log1p(-share)
    )
    odds = share / (1.0 - share)
    terms = [math.exp(log)]
    terms += [(n - k) / (k + 1) * odds for k in range(first, last)]
    return first, _accumulate(terms)


@lru_cache(maxsize=1024)
def _poisson_table(mean: float) -> Table:
    first, last = _support(mean, math.sqrt(mean))
    log = first * math.log(mean) - mean - math.lgamma(first + 1)
    terms = [math.exp(log), *(mean / (k + 1) for k in range(first, last))]
    return first, _accumulate(terms)


def _support(mean: float, deviation: float) -> tuple[int, int]:
    spread = _DEVIATIONS * deviation + _SLACK
    return max(0, math.floor(mean - spread)), math.ceil(mean + spread)


def _accumulate(terms: list[float]) -> tuple[float, ...]:
    """Return the running sums of a first probability and the ratios of each to the one before."""
    probability, total, sums = 1.0, 0.0, []
    for term in terms:
        probability *= term
        total += probability
        sums.append(total)
    return (*sums[:-1], 1.0)  # what was cut off, and rounding, belong to the last
