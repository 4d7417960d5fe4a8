"""The judge: an analysis and a look in, the next analysis and a verdict out.

Pure and total: the same looks give the same verdicts, whenever they are replayed. What decides, in
this order:

1. The router did not answer: `blind`. Nothing is counted, nothing is forgotten.
2. Health failed more often in a row than allowed, or memory or CPU stayed above their share:
   `fail`.
3. A signal against live rejects, or a signal against its limit does: `fail`, unless *both slots are
   bad*: the candidate's share passed its limit by the test, live's share over the same seconds (the
   signal's window) is above the same limit, and the same bad requests do not reject against live.
   Then it is `hold`: going back would not help, and a person decides. With the window the answer
   mends itself: when live only seemed bad because it had few requests, the next looks show it. At a
   weight of 100 live has no requests, so what both slots share can't be told from the release
   there, and is `fail`.
4. The hold is not over: `more-data` by `holding`. So it is while health or a resource is being
   counted against the candidate: a step does not pass on its second failed health check.
5. Enough requests in this step that a fault of `detect_share` would have been caught with
   `detect_power`: `pass`. Otherwise `more-data`, with what is missing, for `patience_seconds` after
   the hold, then `hold`.

Evidence, and what is counted in a row, carries on over the steps of a rollout; requests are counted
anew each step. Requests of one slot that come while the other has none wait, and are compared
together with the next ones, so that a low weight and frequent looks lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.analysis import words
from deployer.analysis.evidence import (
    HEADROOM,
    LIVE_RULES,
    OWN_RULES,
    Evidence,
    gather_against_live,
    gather_own,
    limit_of,
    no_evidence,
    seen_of,
    share,
    threshold_of,
)
from deployer.analysis.limits import Limits
from deployer.analysis.look import Look
from deployer.analysis.power import requests_needed
from deployer.analysis.sequential import mass_spent
from deployer.analysis.verdict import Rule, Verdict
from deployer.metrics.counts import Counts

_NONE = Counts()


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that the analysis knows of a rollout. Made by `begin`, moved on by the functions here.

    `requests` are the candidate's since the rollout began, `step` its counts since the step began,
    `needed_requests` how many a step needs to pass. `waiting` and `live_waiting` are counts of one
    slot that wait for the other's. `unhealthy`, `memory_high` and `cpu_high` count looks in a row.
    """

    limits: Limits
    planned_requests: float
    needed_requests: int
    evidence: tuple[Evidence, ...]
    requests: int = 0
    waiting: Counts = _NONE
    live_waiting: Counts = _NONE
    unhealthy: int = 0
    memory_high: int = 0
    cpu_high: int = 0
    step: Counts = _NONE
    step_at: float = 0.0
    hold_seconds: float = 0.0
    patience_seconds: float = 0.0


def begin(limits: Limits, planned_requests: float, *, compare: bool) -> Analysis:
    """Return the analysis of a rollout before its first step.

    `planned_requests` is how many the candidate is expected to get in all; `compare` whether there
    is a live slot to compare it with.
    """
    planned = max(1.0, float(planned_requests))
    evidence = no_evidence(limits, compare=compare)
    return Analysis(
        limits=limits,
        planned_requests=planned,
        needed_requests=_needed(limits, signals=len(evidence), planned=planned),
        evidence=evidence,
    )


def begin_step(
    analysis: Analysis, *, at: float, hold_seconds: float, patience_seconds: float
) -> Analysis:
    """Return the analysis at the beginning of a step: evidence stays, the step's counts go."""
    return replace(
        analysis,
        step=_NONE,
        step_at=at,
        hold_seconds=hold_seconds,
        patience_seconds=patience_seconds,
    )


def judge(analysis: Analysis, look: Look) -> tuple[Analysis, Verdict]:
    """Return the analysis after the look, and what it says of the step."""
    if not look.reachable:
        return analysis, words.unreachable(look.at - analysis.step_at)
    analysis = _count(analysis, look)
    verdict = _instances(analysis, look) or _requests(analysis) or _progress(analysis, look.at)
    return analysis, verdict


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


def _count(analysis: Analysis, look: Look) -> Analysis:
    requests = analysis.requests + look.candidate.requests
    waiting = _sum(analysis.waiting, look.candidate)
    live = _sum(analysis.live_waiting, look.live)
    evidence = analysis.evidence
    if look.candidate.requests:
        evidence = _gather(analysis, look.candidate, waiting, live)
    if waiting.requests and live.requests:
        waiting = live = _NONE
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
        _sum(analysis.step, look.candidate),
        analysis.step_at,
        analysis.hold_seconds,
        analysis.patience_seconds,
    )


def _sum(counts: Counts, more: Counts) -> Counts:
    """Add, without making a value when there is nothing to add."""
    if not counts.requests:
        return more
    return counts + more if more.requests else counts


def _gather(
    analysis: Analysis, candidate: Counts, waiting: Counts, live: Counts
) -> tuple[Evidence, ...]:
    limits, planned, signals = analysis.limits, analysis.planned_requests, analysis.evidence
    ceiling = HEADROOM * threshold_of(limits, signals=len(signals))
    after = analysis.requests + candidate.requests
    spent = mass_spent(after, planned)
    mass = spent - mass_spent(analysis.requests, planned)
    gathered = [
        gather_own(signal, seen, limit=limit, mass=mass, ceiling=ceiling)
        for signal, seen, limit in zip(
            signals[:2],
            seen_of(candidate, live),
            (limits.error_share, limits.slow_share),
            strict=False,  # refused requests have no limit of their own
        )
    ]
    if not live.requests:
        return (*gathered, *signals[2:])
    mass, margin = spent - mass_spent(after - waiting.requests, planned), limits.margin
    gathered += [
        gather_against_live(signal, seen, margin=margin, mass=mass, ceiling=ceiling)
        for signal, seen in zip(signals[2:], seen_of(waiting, live), strict=False)
    ]
    return tuple(gathered)


def _in_a_row(analysis: Analysis, look: Look) -> tuple[int, int, int]:
    """Return the three counters; what was not seen neither raises nor resets its own."""
    limits, unhealthy = analysis.limits, analysis.unhealthy
    if look.candidate_healthy is not None:
        unhealthy = 0 if look.candidate_healthy else unhealthy + 1
    since = analysis.step_at if look.instances_since is None else look.instances_since
    if look.at - since < limits.warmup_seconds:
        return unhealthy, 0, 0
    highest = limits.resource_share
    memory_high, cpu_high = analysis.memory_high, analysis.cpu_high
    if look.memory_share is not None:
        memory_high = memory_high + 1 if look.memory_share > highest else 0
    if look.cpu_share is not None:
        cpu_high = cpu_high + 1 if look.cpu_share > highest else 0
    return unhealthy, memory_high, cpu_high


def _instances(analysis: Analysis, look: Look) -> Verdict | None:
    """Return the fail of what is counted in a row, if any is over."""
    limits = analysis.limits
    if analysis.unhealthy > limits.health_failures:
        return words.unhealthy(analysis.unhealthy, allowed=limits.health_failures)
    if analysis.memory_high >= limits.resource_looks and look.memory_share is not None:
        return words.resource(Rule.MEMORY, look.memory_share, limits, looks=analysis.memory_high)
    if analysis.cpu_high >= limits.resource_looks and look.cpu_share is not None:
        return words.resource(Rule.CPU, look.cpu_share, limits, looks=analysis.cpu_high)
    return None


def _requests(analysis: Analysis) -> Verdict | None:
    """Return the fail or the hold of the signals, if any rejects. A fail comes first."""
    signals, limits = analysis.evidence, analysis.limits
    threshold = threshold_of(limits, signals=len(signals))
    rejecting = [signal for signal in signals if signal.value > threshold]
    if not rejecting:
        return None
    both_bad = None
    for signal in rejecting:
        if signal.rule in LIVE_RULES:
            return words.worse_than_live(signal, limits, threshold=threshold)
    for signal in rejecting:
        limit = limit_of(signal.rule, limits)
        if share(signal.live_bad, signal.live_requests) <= limit or len(signals) == len(OWN_RULES):
            return words.above_limit(signal, limits, limit=limit, threshold=threshold)
        both_bad = words.both_bad(signal, limits, limit=limit, threshold=threshold)
    return both_bad


def _progress(analysis: Analysis, at: float) -> Verdict:
    """Return how far the step is, when nothing speaks against the candidate."""
    held = at - analysis.step_at
    counted = max(analysis.unhealthy, analysis.memory_high, analysis.cpu_high)
    if held < analysis.hold_seconds or counted:
        return words.holding(
            analysis.step,
            held=held,
            hold_seconds=analysis.hold_seconds,
            needed=analysis.needed_requests,
            counted=counted,
        )
    if analysis.step.requests >= analysis.needed_requests:
        return words.hold_over(
            analysis.step, analysis.limits, held=held, needed=analysis.needed_requests
        )
    waited = held - analysis.hold_seconds
    return words.too_few(
        analysis.step,
        analysis.limits,
        held=held,
        needed=analysis.needed_requests,
        patience_over=waited >= analysis.patience_seconds,
    )
