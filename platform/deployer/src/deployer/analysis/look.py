"""A look: what was seen of both slots since the look before."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.metrics.counts import Counts
from deployer.metrics.source import Reading


@dataclass(frozen=True, slots=True)
class Look:
    """What the analysis judges; the ledger keeps it raw, so that a replay judges the same.

    `candidate` and `live` are what came since the look before. None means not seen.
    """

    at: float
    candidate: Counts
    live: Counts
    candidate_healthy: bool | None = None
    memory_share: float | None = None
    cpu_share: float | None = None
    reachable: bool = True
    instances_since: float | None = None


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
    )
