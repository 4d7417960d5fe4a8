"""The analysis as a value: what it knows of a rollout, and how it begins one and each of its steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.analysis.evidence import Evidence, no_evidence, no_live_evidence, threshold_of
from deployer.analysis.limits import Limits
from deployer.analysis.power import requests_needed
from deployer.analysis.streak import NO_STREAK, Streak
from deployer.analysis.verdict import Rule
from deployer.metrics.counts import Counts
from deployer.metrics.latency import NO_LATENCY, Latency

NO_COUNTS = Counts()
_NO_LIVE = Evidence(Rule.LIVE_BROKEN, ())


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that the analysis knows of a rollout. Made by `begin`, moved on by `judge`.

    `requests` are the candidate's since the rollout began, `live_requests` live's, `step` the
    candidate's counts since the step began, `needed_requests` how many a step needs to pass.
    `waiting`, `waiting_latency` and `live_waiting` are what was seen of one slot and waits for the
    other. `unhealthy`, `memory_high` and `cpu_high` count looks in a row. `live_errors` is what
    speaks against live, whose alternatives are none when there is nothing to compare with;
    `beside_live` whether live gets requests in this step.
    """

    limits: Limits
    planned_requests: float
    needed_requests: int
    evidence: tuple[Evidence, ...]
    requests: int = 0
    waiting: Counts = NO_COUNTS
    live_waiting: Counts = NO_COUNTS
    unhealthy: Streak = NO_STREAK
    memory_high: Streak = NO_STREAK
    cpu_high: Streak = NO_STREAK
    step: Counts = NO_COUNTS
    step_at: float = 0.0
    hold_seconds: float = 0.0
    patience_seconds: float = 0.0
    waiting_latency: Latency = NO_LATENCY
    live_requests: int = 0
    live_errors: Evidence = _NO_LIVE
    beside_live: bool = True

    @property
    def threshold(self) -> float:
        """What the evidence of a signal must pass to reject."""
        return threshold_of(self.limits, signals=len(self.evidence))


def begin(
    limits: Limits, planned_requests: float, *, compare: bool, business: tuple[str, ...] = ()
) -> Analysis:
    """Return the analysis of a rollout before its first step.

    `planned_requests` is how many the candidate is expected to get in all; `compare` whether there
    is a live slot to compare it with. `business` names the pairs of attempts and successes that
    both slots may export; without a live slot there is nothing to hold them against.
    """
    planned = max(1.0, float(planned_requests))
    evidence = no_evidence(limits, compare=compare, business=business)
    return Analysis(
        limits=limits,
        planned_requests=planned,
        needed_requests=_needed(limits, signals=len(evidence), planned=planned),
        evidence=evidence,
        live_errors=no_live_evidence(limits) if compare else _NO_LIVE,
    )


def begin_step(
    analysis: Analysis,
    *,
    at: float,
    hold_seconds: float,
    patience_seconds: float,
    beside_live: bool = True,
) -> Analysis:
    """Return the analysis at the beginning of a step: evidence stays, the step's counts go.

    `beside_live` says whether live gets requests in it: what is known of live is old otherwise.
    """
    return replace(
        analysis,
        step=NO_COUNTS,
        step_at=at,
        hold_seconds=hold_seconds,
        patience_seconds=patience_seconds,
        beside_live=beside_live,
    )


def _needed(limits: Limits, *, signals: int, planned: float) -> int:
    """Return the requests that a step needs, for the stricter of the two limits.

    Where a limit is so high that `detect_share` is hardly above it, the fault is taken to have
    four times the limit's odds.
    """
    needed = 1
    for limit in {limits.error_share, limits.slow_share}:
        if limit < 1.0:
            odds = 4.0 * limit / (1.0 - limit)
            fault = max(limits.detect_share, odds / (1.0 + odds))
            alpha = 1.0 / threshold_of(limits, signals=signals)
            power = limits.detect_power
            number = requests_needed(fault, power=power, limit=limit, alpha=alpha, planned=planned)
            needed = max(needed, number)
    return needed
