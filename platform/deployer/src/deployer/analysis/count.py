"""Counting: an analysis and a look in, the analysis with what the look showed out.

The path of every look of every rollout, simulated ones among them: values are made by position and
only when something changes, which takes a third off the time.
"""

from __future__ import annotations

from deployer.analysis.evidence import (
    HEADROOM,
    SIGNALS,
    Evidence,
    Seen,
    gather_against_live,
    gather_business,
    gather_own,
    seen_of,
)
from deployer.analysis.look import Look
from deployer.analysis.sequential import mass_spent
from deployer.analysis.state import NO_COUNTS, Analysis
from deployer.analysis.streak import NO_STREAK, Streak
from deployer.analysis.verdict import Rule
from deployer.metrics.counts import Counts
from deployer.metrics.latency import NO_LATENCY, Latency
from deployer.metrics.source import Outcome


def count(analysis: Analysis, look: Look) -> Analysis:
    """Return the analysis after a look at which the router answered."""
    candidate = look.candidate
    requests = analysis.requests + candidate.requests
    waiting = _sum(analysis.waiting, candidate)
    live = _sum(analysis.live_waiting, look.live)
    latency = analysis.waiting_latency
    if look.latency.counts:
        latency += look.latency
    evidence = analysis.evidence
    if candidate.requests:
        evidence = _gather(analysis, look, waiting, live, latency)
    if len(evidence) > SIGNALS and (look.outcomes or look.live_outcomes):
        evidence = _gather_business(analysis, look, evidence)
    if waiting.requests and live.requests:
        waiting, live, latency = NO_COUNTS, NO_COUNTS, NO_LATENCY
    unhealthy, memory_high, cpu_high = _in_a_row(analysis, look)
    return Analysis(
        analysis.limits,
        analysis.planned_requests,
        analysis.needed_requests,
        evidence,
        requests,
        waiting,
        live,
        unhealthy,
        memory_high,
        cpu_high,
        _sum(analysis.step, candidate),
        analysis.step_at,
        analysis.hold_seconds,
        analysis.patience_seconds,
        latency,
        analysis.live_requests + look.live.requests,
        _gather_of_live(analysis, look),
        analysis.beside_live,
    )


def _sum(counts: Counts, more: Counts) -> Counts:
    """Add, without making a value when there is nothing to add."""
    if not counts.requests:
        return more
    return counts + more if more.requests else counts


def _gather(
    analysis: Analysis, look: Look, waiting: Counts, live: Counts, latency: Latency
) -> tuple[Evidence, ...]:
    limits, planned, signals = analysis.limits, analysis.planned_requests, analysis.evidence
    ceiling, at, margin = HEADROOM * analysis.threshold, look.at, limits.margin
    after = analysis.requests + look.candidate.requests
    spent = mass_spent(after, planned)
    mass = spent - mass_spent(analysis.requests, planned)
    failed, slow, _ = seen_of(look.candidate, live)  # refused requests have no limit of their own
    own = (
        gather_own(signals[0], failed, limit=limits.error_share, mass=mass, ceiling=ceiling, at=at),
        gather_own(
            signals[1],
            slow,
            limit=limits.slow_share,
            mass=mass,
            ceiling=ceiling,
            at=at,
            latency=look.latency,
        ),
    )
    if not live.requests:
        return (*own, *signals[2:])
    mass = spent - mass_spent(after - waiting.requests, planned)
    against_live = [
        gather_against_live(
            signal,
            seen,
            margin=margin,
            mass=mass,
            ceiling=ceiling,
            at=at,
            latency=latency if signal.rule is Rule.SLOW_AGAINST_LIVE else NO_LATENCY,
        )
        for signal, seen in zip(signals[2:SIGNALS], seen_of(waiting, live), strict=False)
    ]
    return (*own, *against_live, *signals[SIGNALS:])


def _gather_business(
    analysis: Analysis, look: Look, evidence: tuple[Evidence, ...]
) -> tuple[Evidence, ...]:
    """Return the evidence with the pairs counted: they come from the instances, in their own time."""
    spent = mass_spent(analysis.requests + look.candidate.requests, analysis.planned_requests)
    ceiling, limits = HEADROOM * analysis.threshold, analysis.limits
    pairs = [
        gather_business(
            signal,
            _attempted(signal.name, look),
            limits=limits,
            spent=spent,
            ceiling=ceiling,
            at=look.at,
        )
        for signal in evidence[SIGNALS:]
    ]
    return (*evidence[:SIGNALS], *pairs)


def _attempted(name: str, look: Look) -> Seen:
    attempts, failed = _failed(name, look.outcomes)
    return attempts, failed, *_failed(name, look.live_outcomes)


def _failed(name: str, outcomes: tuple[Outcome, ...]) -> tuple[int, int]:
    """Return attempts and those without success; what is not seen is none of either.

    A service may count an attempt when it begins: more done than attempted is all done.
    """
    for outcome in outcomes:
        if outcome.name == name:
            return outcome.attempts, max(0, outcome.attempts - outcome.successes)
    return 0, 0


def _gather_of_live(analysis: Analysis, look: Look) -> Evidence:
    """Return what speaks against live itself, by the test that the candidate's errors have."""
    live, errors = look.live, analysis.live_errors
    if not live.requests or not errors.statistics:
        return errors
    before, planned = analysis.live_requests, analysis.planned_requests
    mass = mass_spent(before + live.requests, planned) - mass_spent(before, planned)
    return gather_own(
        errors,
        (live.requests, min(live.failed, live.requests), 0, 0),
        limit=analysis.limits.error_share,
        mass=mass,
        ceiling=HEADROOM * analysis.threshold,
        at=look.at,
    )


def _in_a_row(analysis: Analysis, look: Look) -> tuple[Streak, Streak, Streak]:
    """Return the three streaks; what was not seen neither adds to its own nor ends it."""
    at, healthy = look.at, look.candidate_healthy
    unhealthy = analysis.unhealthy.after(bad=None if healthy is None else not healthy, at=at)
    since = analysis.step_at if look.instances_since is None else look.instances_since
    if at - since < analysis.limits.warmup_seconds:
        return unhealthy, NO_STREAK, NO_STREAK
    return (
        unhealthy,
        analysis.memory_high.after(bad=_above(look.memory_share, analysis), at=at),
        analysis.cpu_high.after(bad=_above(look.cpu_share, analysis), at=at),
    )


def _above(used: float | None, analysis: Analysis) -> bool | None:
    return None if used is None else used > analysis.limits.resource_share
