"""How many requests it takes: what a pass needs, and what `plan` says in advance.

`requests_needed` gives the number after which a fault of that share, there from the first request,
has been rejected with that power. It asks of each n: how many bad requests, evenly spread among n,
would reject (`sequential`: the mass of n requests times (L-1)/ln L), and how likely are so many or
more? That is a bisection over binomial tails, about a millisecond, and lies about a tenth above
what simulations with looks of two requests give (the test holds it to that).

Limit 5 %, alpha 1 % shared among six signals (one of them a business pair), 10,000 planned
requests:

=====  ==========  ==========  ==========
share  power 50 %  power 90 %  power 99 %
=====  ==========  ==========  ==========
100 %           8           8           8
 50 %          21          33          47
 20 %         114         182         266
 15 %         231         361         466
 10 %         657       1,028       1,445
  7 %       3,081       4,994       7,264
=====  ==========  ==========  ==========
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from deployer.analysis.sequential import Ratios, against_limit, mass_spent

PLANNED = 10_000.0
_MOST = 1 << 22  # four million requests: beyond that the answer is no, and still a quick one
_DEVIATIONS = 9.0  # a binomial tail beyond nine standard deviations is below 1e-18


@lru_cache(maxsize=256)
def requests_needed(
    share: float, *, power: float, limit: float, alpha: float, planned: float = PLANNED
) -> int:
    """Return the requests after which a fault of `share` is rejected with chance `power`.

    `alpha` is one signal's. Raises ValueError when the share is too close to the limit to be told
    apart from it, or not above it.
    """
    if not 0.0 < power < 1.0:
        message = f"the power must lie between 0 and 1, got {power}"
        raise ValueError(message)
    ratios = against_limit(limit)
    if not limit < share <= 1.0 or not _rises(share, ratios):
        message = f"no number of requests tells a share of {share} from the limit {limit}"
        raise ValueError(message)
    high = 1
    while _power(high, share, ratios, alpha=alpha, planned=planned) < power:
        high *= 2
        if high > _MOST:
            message = f"more than {_MOST:,} requests for a power of {power}"
            raise ValueError(message)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        enough = _power(middle, share, ratios, alpha=alpha, planned=planned) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def _rises(share: float, ratios: Ratios) -> bool:
    """Whether any statistic grows, in the mean of its logarithm, under that share."""
    return any(share * a + (1.0 - share) * b > 0 for a, b in ratios)


def _power(n: int, share: float, ratios: Ratios, *, alpha: float, planned: float) -> float:
    """Return the chance that n requests, a binomial number of them bad, reject."""
    mass = mass_spent(n, planned)
    low, high = -1, n  # the least number of bad requests that rejects is above low
    if not _rejects(n, n, ratios, mass=mass, alpha=alpha):
        return 0.0
    while high - low > 1:
        middle = (low + high) // 2
        if _rejects(n, middle, ratios, mass=mass, alpha=alpha):
            high = middle
        else:
            low = middle
    return _upper_tail(n, high, share)


def _rejects(n: int, bad: int, ratios: Ratios, *, mass: float, alpha: float) -> bool:
    return evenly_rejects([bad * a + (n - bad) * b for a, b in ratios], mass=mass, alpha=alpha)


def evenly_rejects(logarithms: Sequence[float], *, mass: float, alpha: float) -> bool:
    """Say whether requests with these log ratios, spread evenly over their mass, reject."""
    total = 0.0
    for logarithm in logarithms:
        log = min(600.0, logarithm)
        total += mass * (math.expm1(log) / log if abs(log) > 1e-9 else 1.0)
    return total > len(logarithms) / alpha


def _upper_tail(n: int, least: int, share: float) -> float:
    """Return P(K >= least) for K binomial, summed where it is not negligible."""
    if share >= 1.0:
        return 1.0
    spread = _DEVIATIONS * math.sqrt(n * share * (1.0 - share)) + _DEVIATIONS
    first = max(least, 0, math.floor(n * share - spread))
    last = min(n, math.ceil(n * share + spread))
    if first > last:
        return 0.0
    log = (
        math.lgamma(n + 1)
        - math.lgamma(first + 1)
        - math.lgamma(n - first + 1)
        + first * math.log(share)
        + (n - first) * math.log1p(-share)
    )
    term, total, odds = math.exp(log), 0.0, share / (1.0 - share)
    for k in range(first, last + 1):
        total += term
        term *= (n - k) / (k + 1) * odds
    return total
