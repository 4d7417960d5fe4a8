"""A look: what was seen of both slots since the look before."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.metrics.counts import Counts
from deployer.metrics.latency import NO_LATENCY, Latency
from deployer.metrics.source import Outcome, Reading


@dataclass(frozen=True, slots=True)
class Look:
    """What the analysis judges; the ledger keeps it raw, so that a replay judges the same.

    `candidate`, `live`, the candidate's `latency` and both slots' business outcomes are what came
    since the look before. None means not seen, and so does an outcome that is not there.
    """

    at: float
    candidate: Counts
    live: Counts
    candidate_healthy: bool | None = None
    memory_share: float | None = None
    cpu_share: float | None = None
    reachable: bool = True
    instances_since: float | None = None
    latency: Latency = NO_LATENCY
    outcomes: tuple[Outcome, ...] = ()
    live_outcomes: tuple[Outcome, ...] = ()


def look_between(previous: Reading, reading: Reading) -> Look:
    """Return the look that two readings of one source make."""
    return Look(
        at=reading.at,
        candidate=reading.candidate.since(previous.candidate),
        live=reading.live.since(previous.live),
        candidate_healthy=reading.candidate_healthy,
        memory_share=reading.memory_share,
        cpu_share=reading.cpu_share,
        reachable=reading.reachable,
        instances_since=reading.instances_since,
        latency=reading.latency.since(previous.latency),
        outcomes=_outcomes_between(previous.outcomes, reading.outcomes),
        live_outcomes=_outcomes_between(previous.live_outcomes, reading.live_outcomes),
    )


def _outcomes_between(
    before: tuple[Outcome, ...], after: tuple[Outcome, ...]
) -> tuple[Outcome, ...]:
    known = {outcome.name: outcome for outcome in before}
    return tuple(each.since(known.get(each.name, Outcome(each.name))) for each in after)
