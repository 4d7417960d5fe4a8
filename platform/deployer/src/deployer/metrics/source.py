"""What the driver asks of a metrics source: one reading of both slots.

A reading holds running totals, so a reading that is lost costs nothing: the next one has it all.
The values are plain; only `scrape` does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from deployer.metrics.counts import Counts
from deployer.metrics.latency import NO_LATENCY, Latency


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its admin port's URL, and when it was started (seconds since the epoch)."""

    admin_url: str
    since: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A pair that a service exports: of so many attempts, such as to place an order, were done.

    Running totals, or what came in between. An attempt counts when it is over.
    """

    name: str
    attempts: int = 0
    successes: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.name, self.attempts + other.attempts, self.successes + other.successes)

    def since(self, previous: Outcome) -> Outcome:
        """Return what came after `previous`; all of it when the instance began again at zero."""
        if self.attempts < previous.attempts or self.successes < previous.successes:
            return self
        attempts = self.attempts - previous.attempts
        return Outcome(self.name, attempts, self.successes - previous.successes)


@dataclass(frozen=True, slots=True)
class Reading:
    """Both slots at one moment.

    `candidate` and `live` are totals that never fall while the source lives. `reachable` is whether
    the router answered; when it did not, the totals are those of the last reading.
    `candidate_healthy` is whether every instance of the candidate said so, None when there is none.
    `memory_share` and `cpu_share` are the worst instance's, of its limits; None when no instance
    told. `instances_since` is when the youngest instance was started. `latency` is the candidate's.
    `outcomes` and `live_outcomes` are the slots' business pairs by name, without those that no
    instance of the slot exports.
    """

    at: float
    reachable: bool
    candidate: Counts
    live: Counts
    candidate_healthy: bool | None = None
    memory_share: float | None = None
    cpu_share: float | None = None
    instances_since: float | None = None
    latency: Latency = NO_LATENCY
    outcomes: tuple[Outcome, ...] = ()
    live_outcomes: tuple[Outcome, ...] = ()


class MetricsSource(Protocol):
    """Reads both slots of one service."""

    def read(self) -> Reading:
        """Return a reading within about two seconds, whatever hangs or is gone."""
        ...
