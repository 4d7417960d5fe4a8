"""Reads a rollout's metrics from the router and the candidate's instances, look by look."""

from __future__ import annotations

import time

from deployer.analysis import Look, look_between
from deployer.engine import Rollout
from deployer.metrics import Instance, MetricsSource, Reading, Scrape
from deployer.model import ServiceName, Slot
from deployer.targets.local import LocalTarget
from deployer.targets.local.ports import LOOPBACK

SAMPLE_SECONDS = 0.7  # long enough that ten requests a second count as more than noise


class ScrapeObserver:
    """An Observer for one rollout: it remembers the reading before."""

    def __init__(self, target: LocalTarget) -> None:
        self._target = target
        self._source: MetricsSource | None = None
        self._previous: Reading | None = None

    def look(self, rollout: Rollout, *, at: float) -> Look:
        """Return what happened since the last call; the first call of a rollout sees nothing yet."""
        del at  # the reading carries its own time
        if self._source is None:
            slot = rollout.order.candidate_slot
            self._source = source_of(self._target, rollout.order.service, candidate=slot)
        reading = self._source.read()
        look = look_between(self._previous or reading, reading)
        self._previous = reading
        return look


def source_of(target: LocalTarget, service: ServiceName, *, candidate: Slot) -> Scrape:
    """Return the source that reads both slots of a service."""

    def instances_of(slot: Slot) -> tuple[Instance, ...]:
        held = target.records.read(service).slot(slot)
        return tuple(
            Instance(f"http://{LOOPBACK}:{each.admin_port}", each.started)
            for each in (held.instances if held else ())
        )

    return Scrape(
        service,
        candidate,
        router_urls=lambda: [target.router.metrics_url],
        instances_of=instances_of,
    )


def measure_rate(target: LocalTarget, service: ServiceName) -> float:
    """Return the requests a second that a service gets now, by a short sample at the router."""
    source = source_of(target, service, candidate=Slot.BLUE)
    first = source.read()
    time.sleep(SAMPLE_SECONDS)
    second = source.read()
    seen = second.candidate.since(first.candidate) + second.live.since(first.live)
    return seen.requests / max(second.at - first.at, 1e-3)
