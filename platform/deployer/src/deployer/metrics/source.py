"""What the driver asks of a metrics source: one reading of both slots.

A reading holds running totals, so a reading that is lost costs nothing: the next one has it all.
The values are plain; only `scrape` does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from deployer.metrics.counts import Counts


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its admin port's URL, and when it was started (seconds since the epoch)."""

    admin_url: str
    since: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Both slots at one moment.

    `candidate` and `live` are totals that never fall while the source lives. `reachable` is whether
    the router answered; when it did not, the totals are those of the last reading.
    `candidate_healthy` is whether every instance of the candidate said so, None when there is none.
    `memory_share` and `cpu_share` are the worst instance's, of its limits; None when no instance
    told. `instances_since` is when the youngest instance was started.
    """

    at: float
    reachable: bool
    candidate: Counts
    live: Counts
    candidate_healthy: bool | None = None
    memory_share: float | None = None
    cpu_share: float | None = None
    instances_since: float | None = None


class MetricsSource(Protocol):
    """Reads both slots of one service."""

    def read(self) -> Reading:
        """Return a reading within about two seconds, whatever hangs or is gone."""
        ...
