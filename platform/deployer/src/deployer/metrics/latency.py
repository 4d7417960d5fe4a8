"""How long requests took: a histogram that adds up and can be subtracted. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Latency:
    """Finished requests of one slot by their seconds, as running totals or as what came in between.

    `counts` has one number more than `bounds`: the requests within each bound and above the one
    before, and at the end those above all. Both are empty when nothing was measured.
    """

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    @classmethod
    def of(cls, within: Mapping[float, int]) -> Latency:
        """Return the histogram of Prometheus's buckets: how many requests are within each bound.

        The bucket +Inf holds all; a JSON number it is not, so it is no bound here.
        """
        bounds = sorted(within)
        below = [0, *(within[bound] for bound in bounds)]
        counts = [max(0, upper - lower) for lower, upper in pairwise(below)]
        if bounds and bounds[-1] < math.inf:
            counts.append(0)
        return cls(tuple(bound for bound in bounds if bound < math.inf), tuple(counts))

    def __add__(self, other: Latency) -> Latency:
        if not other.counts:
            return self
        if self.bounds != other.bounds:  # other buckets: what is newer is what counts
            return other
        counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        return Latency(self.bounds, tuple(counts))

    def since(self, previous: Latency) -> Latency:
        """Return what came after `previous`, both being running totals.

        A total that is smaller than before, or other buckets, mean that the router began again at
        zero: all of it came after.
        """
        if self.bounds != previous.bounds:
            return self
        counts = [a - b for a, b in zip(self.counts, previous.counts, strict=True)]
        return self if any(count < 0 for count in counts) else Latency(self.bounds, tuple(counts))


NO_LATENCY = Latency()
