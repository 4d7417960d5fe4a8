"""Signals: which bad requests are watched, against what, and what each has gathered.

Five of them share alpha equally with one for each business pair: failed and slow requests against
their limits; failed, slow and refused requests against live; attempts that came to nothing, against
live. Without a live slot there are two. Each keeps, next to the statistics of its test, the window
that its sentence speaks of: the counts of both slots since the candidate's share was last within
what is allowed, which is about since the fault began, and when that was.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.analysis.limits import Limits
from deployer.analysis.sequential import (
    RATES,
    SUCCESS_RATES,
    against_limit,
    business_factors,
    limit_factors,
    live_factors,
    update,
)
from deployer.analysis.verdict import Rule
from deployer.metrics.counts import Counts
from deployer.metrics.latency import NO_LATENCY, Latency

OWN_RULES = (Rule.ERROR_SHARE, Rule.SLOW_SHARE)
LIVE_RULES = (Rule.ERRORS_AGAINST_LIVE, Rule.SLOW_AGAINST_LIVE, Rule.REFUSALS_AGAINST_LIVE)
SIGNALS = len(OWN_RULES) + len(LIVE_RULES)  # in this order; business pairs come after them

# Statistics stop rising at ten times what rejects, so that a long outage of both slots is forgotten
# in as many requests as a short one.
HEADROOM = 10.0

Seen = tuple[int, int, int, int]
"""Of one look: the candidate's requests, how many were bad, live's requests, how many were bad."""

NOTHING: Seen = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one signal has gathered: a statistic for each alternative, and the window's counts.

    `since` is the time of the look that opened the window, None while the share is allowed.
    `latency` is the window's, of the signals of slow requests. `name` is the pair of a business
    signal, whose requests are attempts; `waiting` is what it has seen of one slot alone, and
    `spent` the mass that it has had.
    """

    rule: Rule
    statistics: tuple[float, ...]
    requests: int = 0
    bad: int = 0
    live_requests: int = 0
    live_bad: int = 0
    since: float | None = None
    latency: Latency = NO_LATENCY
    name: str = ""
    waiting: Seen = NOTHING
    spent: float = 0.0

    @property
    def value(self) -> float:
        """The evidence: the mean over the alternatives."""
        return sum(self.statistics) / len(self.statistics) if self.statistics else 0.0


def share(bad: int, requests: int) -> float:
    """Return the share of bad requests, 0 when there were none."""
    return bad / requests if requests else 0.0


def limit_of(rule: Rule, limits: Limits) -> float:
    """Return the share that one of the `OWN_RULES` holds the candidate to."""
    return limits.slow_share if rule is Rule.SLOW_SHARE else limits.error_share


def threshold_of(limits: Limits, *, signals: int) -> float:
    """Return what the evidence of each of so many signals must pass to reject: they share alpha."""
    return signals / limits.alpha


def no_evidence(
    limits: Limits, *, compare: bool, business: tuple[str, ...]
) -> tuple[Evidence, ...]:
    """Return the signals of a rollout before its first look."""
    own = [
        Evidence(rule, (0.0,) * len(against_limit(limit_of(rule, limits)))) for rule in OWN_RULES
    ]
    if not compare:
        return tuple(own)
    against_live = [Evidence(rule, (0.0,) * len(RATES)) for rule in LIVE_RULES]
    zeros = (0.0,) * len(RATES + SUCCESS_RATES)
    pairs = [Evidence(Rule.BUSINESS, zeros, name=name) for name in business]
    return (*own, *against_live, *pairs)


def no_live_evidence(limits: Limits) -> Evidence:
    """Return what speaks against live before the first look: its errors against the same limit."""
    return Evidence(Rule.LIVE_BROKEN, (0.0,) * len(against_limit(limits.error_share)))


def gather_own(
    signal: Evidence,
    seen: Seen,
    *,
    limit: float,
    mass: float,
    ceiling: float,
    at: float,
    latency: Latency = NO_LATENCY,
) -> Evidence:
    """Return an own signal after a look; live's counts are kept for the window only."""
    requests, bad, _, _ = seen
    factors = limit_factors(limit, bad, requests - bad)
    statistics = update(signal.statistics, factors, mass=mass, ceiling=ceiling)
    if signal.bad + bad <= limit * (signal.requests + requests):
        return Evidence(signal.rule, statistics)
    return _within_window(signal, statistics, seen, at=at, latency=latency)


def gather_against_live(
    signal: Evidence,
    seen: Seen,
    *,
    margin: float,
    mass: float,
    ceiling: float,
    at: float,
    latency: Latency = NO_LATENCY,
) -> Evidence:
    """Return a signal against live after a look in which both slots had requests."""
    requests, bad, live_requests, live_bad = seen
    if bad or live_bad:
        factors = live_factors(requests, live_requests, margin, bad, live_bad)
        statistics = update(signal.statistics, factors, mass=mass, ceiling=ceiling)
    else:  # nothing bad on either side says nothing: every ratio is 1
        statistics = tuple([statistic + mass for statistic in signal.statistics])
    requests, live_requests = signal.requests + requests, signal.live_requests + live_requests
    if (signal.bad + bad) * live_requests <= margin * (signal.live_bad + live_bad) * requests:
        return Evidence(signal.rule, statistics)
    return _within_window(signal, statistics, seen, at=at, latency=latency)


def gather_business(
    signal: Evidence, seen: Seen, *, limits: Limits, spent: float, ceiling: float, at: float
) -> Evidence:
    """Return a business signal after a look; `spent` is the mass of all requests so far.

    Attempts of one slot wait until the other has some. A slot that does not export the pair never
    has any, so there is no evidence: what is not seen is not taken for failed.
    """
    waiting = _added(signal.waiting, seen)
    if not waiting[0] or not waiting[2]:
        if seen == NOTHING:
            return signal
        return Evidence(
            signal.rule,
            signal.statistics,
            signal.requests,
            signal.bad,
            signal.live_requests,
            signal.live_bad,
            signal.since,
            NO_LATENCY,
            signal.name,
            waiting,
            signal.spent,
        )
    margin, drop = limits.margin, limits.business_drop
    factors = business_factors(waiting, margin=margin, drop=drop)
    mass = spent - signal.spent
    statistics = update(signal.statistics, factors, mass=mass, ceiling=ceiling)
    window = _added((signal.requests, signal.bad, signal.live_requests, signal.live_bad), waiting)
    if _allowed(window, margin=margin, drop=drop):
        return Evidence(signal.rule, statistics, name=signal.name, spent=spent)
    since = at if signal.since is None else signal.since
    return Evidence(
        signal.rule, statistics, *window, since, NO_LATENCY, signal.name, NOTHING, spent
    )


def _allowed(window: Seen, *, margin: float, drop: float) -> bool:
    attempts, failed, live_attempts, live_failed = window
    done, live_done = attempts - failed, live_attempts - live_failed
    return (
        failed * live_attempts <= margin * live_failed * attempts
        and done * live_attempts >= (1.0 - drop) * live_done * attempts
    )


def _within_window(
    signal: Evidence, statistics: tuple[float, ...], seen: Seen, *, at: float, latency: Latency
) -> Evidence:
    requests, bad, live_requests, live_bad = seen
    return Evidence(
        signal.rule,
        statistics,
        signal.requests + requests,
        signal.bad + bad,
        signal.live_requests + live_requests,
        signal.live_bad + live_bad,
        at if signal.since is None else signal.since,
        signal.latency + latency if latency.counts else signal.latency,
    )


def _added(some: Seen, more: Seen) -> Seen:
    a, b, c, d = some
    e, f, g, h = more
    return a + e, b + f, c + g, d + h


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
