"""Signals: which bad requests are watched, against what, and what each has gathered.

Five of them share alpha equally: failed and slow requests against their limits, and failed, slow
and refused requests against live. Without a live slot there are two. Each keeps, next to the
statistics of its test, the window that its sentence speaks of: the counts of both slots since the
candidate's share was last within what is allowed, which is about since the fault began.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.analysis.limits import Limits
from deployer.analysis.sequential import RATES, against_limit, limit_factors, live_factors, update
from deployer.analysis.verdict import Rule
from deployer.metrics.counts import Counts

OWN_RULES = (Rule.ERROR_SHARE, Rule.SLOW_SHARE)
LIVE_RULES = (Rule.ERRORS_AGAINST_LIVE, Rule.SLOW_AGAINST_LIVE, Rule.REFUSALS_AGAINST_LIVE)

# Statistics stop rising at ten times what rejects, so that a long outage of both slots is forgotten
# in as many requests as a short one.
HEADROOM = 10.0

Seen = tuple[int, int, int, int]
"""Of one look: the candidate's requests, how many were bad, live's requests, how many were bad."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one signal has gathered: a statistic for each alternative, and the window's counts."""

    rule: Rule
    statistics: tuple[float, ...]
    requests: int = 0
    bad: int = 0
    live_requests: int = 0
    live_bad: int = 0

    @property
    def value(self) -> float:
        """The evidence: the mean over the alternatives."""
        return sum(self.statistics) / len(self.statistics) if self.statistics else 0.0


def share(bad: int, requests: int) -> float:
    """Return the share of bad requests, 0 when there were none."""
    return bad / requests if requests else 0.0


def limit_of(rule: Rule, limits: Limits) -> float:
    """Return the share that one of the `OWN_RULES` holds the candidate to."""
    return limits.error_share if rule is Rule.ERROR_SHARE else limits.slow_share


def threshold_of(limits: Limits, *, signals: int) -> float:
    """Return what the evidence of each of so many signals must pass to reject: they share alpha."""
    return signals / limits.alpha


def no_evidence(limits: Limits, *, compare: bool) -> tuple[Evidence, ...]:
    """Return the signals of a rollout before its first look."""
    alternatives = [(rule, len(against_limit(limit_of(rule, limits)))) for rule in OWN_RULES]
    if compare:
        alternatives += [(rule, len(RATES)) for rule in LIVE_RULES]
    return tuple(Evidence(rule, (0.0,) * count) for rule, count in alternatives)


def gather_own(
    signal: Evidence, seen: Seen, *, limit: float, mass: float, ceiling: float
) -> Evidence:
    """Return an own signal after a look; live's counts are kept for the window only."""
    requests, bad, live_requests, live_bad = seen
    factors = limit_factors(limit, bad, requests - bad)
    statistics = update(signal.statistics, factors, mass=mass, ceiling=ceiling)
    requests, bad = signal.requests + requests, signal.bad + bad
    if bad <= limit * requests:
        return Evidence(signal.rule, statistics)
    live_requests, live_bad = signal.live_requests + live_requests, signal.live_bad + live_bad
    return Evidence(signal.rule, statistics, requests, bad, live_requests, live_bad)


def gather_against_live(
    signal: Evidence, seen: Seen, *, margin: float, mass: float, ceiling: float
) -> Evidence:
    """Return a signal against live after a look in which both slots had requests."""
    requests, bad, live_requests, live_bad = seen
    if bad or live_bad:
        factors = live_factors(requests, live_requests, margin, bad, live_bad)
        statistics = update(signal.statistics, factors, mass=mass, ceiling=ceiling)
    else:  # nothing bad on either side says nothing: every ratio is 1
        statistics = tuple([statistic + mass for statistic in signal.statistics])
    requests, bad = signal.requests + requests, signal.bad + bad
    live_requests, live_bad = signal.live_requests + live_requests, signal.live_bad + live_bad
    if bad * live_requests <= margin * live_bad * requests:
        return Evidence(signal.rule, statistics)
    return Evidence(signal.rule, statistics, requests, bad, live_requests, live_bad)


def seen_of(candidate: Counts, live: Counts) -> tuple[Seen, Seen, Seen]:
    """Return what a look shows of failed, slow and refused requests: the order of the signals.

    The router's page is not written in one moment, so bad requests may be a step ahead of all of
    them: no more count than there were.
    """
    n, live_n = candidate.requests, live.requests
    return (
        (n, min(candidate.failed, n), live_n, min(live.failed, live_n)),
        (n, min(candidate.slow, n), live_n, min(live.slow, live_n)),
        (n, min(candidate.refused, n), live_n, min(live.refused, live_n)),
    )
