"""Reads a rollout's metrics from the router and the candidate's instances, look by look."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from deployer.analysis import Look, look_between
from deployer.engine import Rollout
from deployer.metrics import MetricsSource, Reading
from deployer.model import ServiceName, Slot

SAMPLE_SECONDS = 0.7  # long enough that ten requests a second count as more than noise


class Measured(Protocol):
    """What can be measured, and put right: a place, or a flag of a service there."""

    def metrics(self, service: ServiceName, candidate: Slot) -> MetricsSource:
        """Return a source of what is compared."""
        ...

    def tend(self, service: ServiceName) -> tuple[str, ...]:
        """Put right what somebody else changed by hand; return a sentence for each such thing."""
        ...


class MetricsObserver:
    """An Observer for one rollout: it remembers the reading before."""

    def __init__(self, target: Measured, *, say: Callable[[str], None]) -> None:
        self._say = say
        self._target = target
        self._source: MetricsSource | None = None
        self._previous: Reading | None = None

    def look(self, rollout: Rollout, *, at: float) -> Look:
        """Return what happened since the last call; the first call of a rollout sees nothing yet."""
        del at  # the reading carries its own time
        if self._source is None:
            slot = rollout.order.candidate_slot
            self._source = self._target.metrics(rollout.order.service, slot)
        reading = self._source.read()
        look = look_between(self._previous or reading, reading)
        self._previous = reading
        if reading.reachable:
            for told in self._target.tend(rollout.order.service):
                self._say(f"{rollout.order.service}: {told}; put right")
        return look


def measure_rate(target: Measured, service: ServiceName) -> float:
    """Return the requests a second that a service gets now, by a short sample at the router."""
    source = target.metrics(service, Slot.BLUE)
    first = source.read()
    time.sleep(SAMPLE_SECONDS)
    second = source.read()
    seen = second.candidate.since(first.candidate) + second.live.since(first.live)
    return seen.requests / max(second.at - first.at, 1e-3)
