"""What would have changed a verdict: one sentence for `why`, in the units that were counted.

Requests are taken as evenly spread over the signal's window, as `power` does, because nobody knows
in which order a look's requests came. With looks of a few requests that is exact to one or two. The
judge takes a look whole, which rejects a little sooner: of one very large look the sentence allows a
few too many, 4 on top of 84 in 1,000 requests and 7 on top of 5,907 in 100,000. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from deployer.analysis.evidence import OWN_RULES, Evidence, limit_of
from deployer.analysis.power import evenly_rejects
from deployer.analysis.sequential import (
    against_limit,
    against_live,
    business_ratios,
    mass_spent,
)
from deployer.analysis.state import Analysis
from deployer.analysis.verdict import Rule, Verdict

_WORDS = {
    Rule.ERROR_SHARE: "failed",
    Rule.ERRORS_AGAINST_LIVE: "failed",
    Rule.SLOW_SHARE: "slow",
    Rule.SLOW_AGAINST_LIVE: "slow",
    Rule.REFUSALS_AGAINST_LIVE: "refused",
}

# A judge that is asked on after a fail may find the window closed and the evidence still high.
_OVER = "the share is allowed again: a few more good requests would let its evidence fall"


def what_would_change(analysis: Analysis, verdict: Verdict) -> str:
    """Return what would have made another verdict of it.

    `analysis` is the one that `judge` returned with the verdict.
    """
    numbers = dict(verdict.numbers)
    match verdict.rule:
        case rule if rule in _WORDS:
            return _fewer_bad(analysis, rule)
        case Rule.BUSINESS:
            return _more_done(analysis)
        case Rule.HEALTH:
            return (
                f"one good health check among the last {analysis.unhealthy.looks} looks would have "
                "begun the count anew"
            )
        case Rule.MEMORY | Rule.CPU:
            word = "memory" if verdict.rule is Rule.MEMORY else "CPU"
            return (
                f"{word} at {100 * numbers['limit']:.3g} % or below in one of the last "
                f"{numbers['looks']:.0f} looks would have begun the count anew"
            )
        case Rule.HOLD_OVER:
            return _enough_to_fail(analysis)
        case Rule.LIVE_BROKEN:
            live = analysis.live_errors
            most = _most_allowed(live, _own(analysis, live), analysis, over=analysis.live_requests)
            return (
                f"{most:,} failed requests of live's {live.requests:,}, {live.bad - most:,} fewer, "
                "would have left the candidate to its hold"
            )
        case Rule.BOTH_SLOTS_BAD:
            allowed = int(numbers["limit"] * numbers["live_requests"])
            return (
                f"{allowed:,} bad requests of live's {numbers['live_requests']:,.0f}, instead of "
                f"{numbers['live_bad']:,.0f}, would have made it a fail of the candidate"
            )
        case Rule.TOO_FEW_REQUESTS:
            return (
                f"{numbers['missing']:,.0f} more requests to the candidate would have let it pass"
            )
        case Rule.HOLDING:
            return _until_it_passes(analysis, numbers)
        case _:
            return "an answer of the router's metrics would have said more"


def _fewer_bad(analysis: Analysis, rule: Rule) -> str:
    signal = next(each for each in analysis.evidence if each.rule is rule)
    if signal.since is None:
        return _OVER
    rejects = _own if rule in OWN_RULES else _live
    most = _most_allowed(signal, rejects(analysis, signal), analysis, over=analysis.requests)
    return (
        f"{most:,} {_WORDS[rule]} requests of the {signal.requests:,}, {signal.bad - most:,} fewer, "
        "would not have failed it"
    )


def _more_done(analysis: Analysis) -> str:
    signal = next(
        each
        for each in analysis.evidence
        if each.rule is Rule.BUSINESS and each.value > analysis.threshold
    )
    if signal.since is None:
        return _OVER
    most = _most_allowed(signal, _business(analysis, signal), analysis, over=analysis.requests)
    return (
        f"{signal.requests - most:,} successes of the {signal.requests:,} attempts, "
        f"{signal.bad - most:,} more, would not have failed it"
    )


def _enough_to_fail(analysis: Analysis) -> str:
    n, limits, alpha = analysis.step.requests, analysis.limits, 1.0 / analysis.threshold
    mass, least = _mass(analysis, n, over=analysis.requests), []
    for word, limit in (("failed", limits.error_share), ("slow", limits.slow_share)):
        logarithms = _against(limit, n)
        if evenly_rejects(logarithms(n), mass=mass, alpha=alpha):
            number = _below(n, logarithms, analysis, mass=mass) + 1
            least.append(f"{number:,} {word} ones")
    if not least:
        return "not even a step of bad requests only would have failed it"
    return f"{' or '.join(least)} of the step's {n:,} requests would have failed it"


def _until_it_passes(analysis: Analysis, numbers: dict[str, float]) -> str:
    missing = (
        [f"a good look after {numbers['in_a_row']:.0f} bad ones"] if numbers["in_a_row"] else []
    )
    seconds = numbers["hold_seconds"] - numbers["held_seconds"]
    if seconds > 0:
        missing.append(f"{seconds:.0f} s more of the hold")
    requests = analysis.needed_requests - analysis.step.requests
    if requests > 0:
        missing.append(f"{requests:,} more requests to the candidate")
    return f"{' and '.join(missing)} would let it pass"


Logarithms = Callable[[int], list[float]]
"""The log ratios of a window's alternatives, were so many of its requests bad."""


def _own(analysis: Analysis, signal: Evidence) -> Logarithms:
    return _against(limit_of(signal.rule, analysis.limits), signal.requests)


def _against(limit: float, n: int) -> Logarithms:
    ratios = against_limit(limit)
    return lambda bad: [bad * a + (n - bad) * b for a, b in ratios]


def _live(analysis: Analysis, signal: Evidence) -> Logarithms:
    ratios = against_live(signal.requests, signal.live_requests, analysis.limits.margin)
    return lambda bad: [bad * a + signal.live_bad * b for a, b in ratios]


def _business(analysis: Analysis, signal: Evidence) -> Logarithms:
    limits, live_done = analysis.limits, signal.live_requests - signal.live_bad
    without, done = business_ratios(
        signal.requests,
        signal.live_requests,
        margin=limits.margin,
        drop=limits.business_drop,
    )
    return lambda bad: [
        *(bad * a + signal.live_bad * b for a, b in without),
        *(live_done * a + (signal.requests - bad) * b for a, b in done),
    ]


def _most_allowed(
    signal: Evidence, logarithms: Logarithms, analysis: Analysis, *, over: int
) -> int:
    """Return the most bad requests in the window that would not have rejected: at least one fewer."""
    mass = _mass(analysis, signal.requests, over=over)
    return _below(signal.bad, logarithms, analysis, mass=mass)


def _below(rejected: int, logarithms: Logarithms, analysis: Analysis, *, mass: float) -> int:
    """Return the most below `rejected` that does not reject; none never does."""
    low, high, alpha = 0, rejected, 1.0 / analysis.threshold
    while high - low > 1:
        middle = (low + high) // 2
        if evenly_rejects(logarithms(middle), mass=mass, alpha=alpha):
            high = middle
        else:
            low = middle
    return low


def _mass(analysis: Analysis, requests: int, *, over: int) -> float:
    """Return the mass of the last so many requests of `over` in all."""
    planned = analysis.planned_requests
    return mass_spent(over, planned) - mass_spent(max(0, over - requests), planned)
