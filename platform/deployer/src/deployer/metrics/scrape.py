"""The scraping source: the router's page and the instances' admin ports, no server in between.

Counts, codes and latency come from the router, because a dead candidate reports nothing itself. A
request that has been in flight for more than a second is slow before it is finished, and only its
instance knows of it: it is added as long as it is in flight, and the router counts it afterwards.
The router is read first, so a request that finishes in between is missing for a moment rather than
counted twice; totals that never fall make up for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from deployer.metrics.counts import Counts
from deployer.metrics.instances import Seen, fetch, see
from deployer.metrics.latency import Latency
from deployer.metrics.outcomes import OutcomeTotals
from deployer.metrics.router import counts_of, latency_of
from deployer.metrics.source import Instance, Outcome, Reading
from deployer.model import ServiceName, Slot

if TYPE_CHECKING:
    import urllib3

TIMEOUT_SECONDS = 1.0


class Scrape:
    """A MetricsSource for one service.

    `router_url` is the router's Prometheus page. `instances_of` tells the instances of a slot
    at the time of a reading. The router's services are named `<service>-<slot>`.
    """

    def __init__(
        self,
        service: ServiceName,
        candidate_slot: Slot,
        *,
        router_url: str,
        instances_of: Callable[[Slot], Sequence[Instance]],
        now: Callable[[], float] = time.time,
    ) -> None:
        import urllib3  # noqa: PLC0415  # 60 ms that commands without metrics do not pay

        timeout = urllib3.Timeout(total=TIMEOUT_SECONDS)
        self._pool: urllib3.PoolManager = urllib3.PoolManager(timeout=timeout, maxsize=4)
        self._router_url = router_url
        self._instances_of = instances_of
        self._now = now
        self._candidate_slot = candidate_slot
        self._totals = {slot: _Totals(f"{service}-{slot}") for slot in Slot}

    def read(self) -> Reading:
        """Return a reading of both slots.

        Raises BucketMissingError when the router is set up without a bucket at 1 s: that is no
        outage but a mistake to mend.
        """
        at = self._now()
        page = fetch(self._pool, self._router_url)
        candidate, live = self._candidate_slot, self._candidate_slot.other
        instances, live_instances = self._instances_of(candidate), self._instances_of(live)
        seen = see(self._pool, [*instances, *live_instances])
        own, others = seen[: len(instances)], seen[len(instances) :]
        totals, live_totals = self._totals[candidate], self._totals[live]
        return Reading(
            at=at,
            reachable=page is not None,
            candidate=totals.after(page, own),
            live=live_totals.after(page, others),
            candidate_healthy=all(one.healthy for one in own) if own else None,
            memory_share=_worst(one.memory_share for one in own),
            cpu_share=_worst(one.cpu_share for one in own),
            instances_since=max((one.since for one in instances), default=None),
            latency=totals.latency_after(page),
            outcomes=totals.outcomes_after(page, instances, own),
            live_outcomes=live_totals.outcomes_after(page, live_instances, others),
        )


class _Totals:
    """One slot's totals since the first page that was read.

    They never fall: not when the router restarts, nor when a slow request has left its instance
    and not yet reached the router's page.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._on_page: Counts | None = None
        self._finished = Counts()
        self._slow_in_flight = 0
        self._told = Counts()
        self._latency_on_page: Latency | None = None
        self._latency = Latency()
        self._outcome_totals = OutcomeTotals()
        self._outcomes: tuple[Outcome, ...] = ()

    def after(self, page: str | None, seen: Sequence[Seen]) -> Counts:
        """Return the totals after one more page; the last ones when there is none."""
        if page is None:
            return self._told
        on_page = counts_of(page, self._name)
        if self._on_page is not None:  # what was there before the first page is somebody else's
            self._finished += on_page.since(self._on_page)
        self._on_page = on_page
        told = [one.slow_in_flight for one in seen if one.slow_in_flight is not None]
        if told or not seen:  # a hung instance does not tell: what it had, it still has
            self._slow_in_flight = sum(told)
        in_flight = Counts(requests=self._slow_in_flight, slow=self._slow_in_flight)
        self._told = _highest(self._told, self._finished + in_flight)
        return self._told

    def latency_after(self, page: str | None) -> Latency:
        """Return the histogram of what has finished since the first page."""
        if page is not None:
            on_page = latency_of(page, self._name)
            if self._latency_on_page is not None:
                self._latency += on_page.since(self._latency_on_page)
            self._latency_on_page = on_page
        return self._latency

    def outcomes_after(
        self, page: str | None, instances: Sequence[Instance], seen: Sequence[Seen]
    ) -> tuple[Outcome, ...]:
        """Return the business pairs; the last ones when the router did not answer.

        Such a reading is not judged, so nothing may be new in it that the next one would miss.
        """
        if page is not None:
            pages = [one.outcomes for one in seen]
            self._outcomes = self._outcome_totals.after(instances, pages)
        return self._outcomes


def _highest(before: Counts, after: Counts) -> Counts:
    return Counts(
        max(before.requests, after.requests),
        max(before.failed, after.failed),
        max(before.slow, after.slow),
        max(before.refused, after.refused),
    )


def _worst(shares: Iterable[float | None]) -> float | None:
    return max((share for share in shares if share is not None), default=None)
