"""The scraping source: the router's pages and the instances' admin ports, no server in between.

Counts, codes and latency come from the router, because a dead candidate reports nothing itself. A
request that has been in flight for more than a second is slow before it is finished, and only its
instance knows of it: it is added as long as it is in flight, and the router counts it afterwards.
The router is read first, so a request that finishes in between is missing for a moment rather than
counted twice; totals that never fall make up for that.

A reading has everything or is blind: if one replica of the router can't be read, or something
between the deployer and an instance does not do its part, the totals are those of the last reading,
and the next one has what came in the dark.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from deployer.errors import OperationError
from deployer.metrics.asking import Crew
from deployer.metrics.instances import Seen, see
from deployer.metrics.outcomes import OutcomeTotals
from deployer.metrics.pages import SECONDS, Told, fetch
from deployer.metrics.router import began_of, counts_of, latency_of, sections_of
from deployer.metrics.source import Instance, Reading
from deployer.metrics.totals import Running, Series, SlotTotals
from deployer.model import ServiceName, Slot

if TYPE_CHECKING:
    import urllib3


@dataclass(frozen=True, slots=True)
class _Lists:
    """What there is to read."""

    router_urls: tuple[str, ...]
    instances: dict[Slot, tuple[Instance, ...]]


def gateway_label(namespace: str, backend: str) -> str:
    """Return the expression for a Service that HTTPRoutes send to, by Traefik's Gateway provider.

    There is a series for each route, Gateway, rule and place of the Service in the rule, such as
    httproute-product-dev-product-gw-platform-dev-public-ep-public-0-<hash>-svc-product-dev-product-blue-0;
    older versions have one a Service: product-dev-product-blue-http-80, or without `http-`.
    """
    return rf"(?:[^\"]*-svc-)?{namespace}-{backend}-(?:http-)?\d+"


class Scrape:
    """A MetricsSource for one service.

    `router_urls` tells the Prometheus page of every replica of the router, each of which has totals
    of its own; a Service's address in front of several would answer for another one each time.
    `instances_of` tells the instances of a slot at the time of a reading. `label_of` is a regular
    expression for what the router calls a slot, without the provider: `product-blue` in Traefik's
    file provider, which is the default; `gateway_label` is the one for its Gateway provider. `pool`
    asks; one that is authenticated reads through the API server.

    `router_urls` and `instances_of` may ask an API server: what takes longer than a second, or
    raises OperationError `cluster-unreachable`, makes a blind reading.
    """

    def __init__(
        self,
        service: ServiceName,
        candidate_slot: Slot,
        *,
        router_urls: Callable[[], Sequence[str]],
        instances_of: Callable[[Slot], Sequence[Instance]],
        label_of: Callable[[Slot], str] | None = None,
        pool: urllib3.PoolManager | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._crew = Crew()
        self._pool = pool or _plain_pool()
        self._router_urls = router_urls
        self._instances_of = instances_of
        self._label_of = label_of or (lambda slot: f"{service}-{slot}")
        self._now = now
        self._candidate = candidate_slot
        self._totals = {slot: SlotTotals() for slot in Slot}
        self._outcomes = {slot: OutcomeTotals() for slot in Slot}

    def read(self) -> Reading:
        """Return a reading of both slots within two seconds.

        Raises BucketMissingError when the router is set up without a bucket at 1 s, and
        OperationError `forbidden` when the deployer may not read: those are no outages that pass.
        """
        at = self._now()
        candidate, live = self._candidate, self._candidate.other
        until = time.monotonic() + SECONDS
        lists = self._lists(until=until)
        pages = self._router_pages(lists.router_urls, until=until) if lists else None
        instances = lists.instances if lists else dict.fromkeys(Slot, ())
        until = time.monotonic() + SECONDS
        own, others = see(
            self._crew, self._pool, instances[candidate], instances[live], until=until
        )
        reachable = pages is not None and not any(one.blind for one in (*own, *others))
        if pages is not None and reachable:
            for slot, seen in ((candidate, own), (live, others)):
                self._take(slot, pages, instances[slot], seen, at=at)
        return Reading(
            at=at,
            reachable=reachable,
            candidate=self._totals[candidate].counts,
            live=self._totals[live].counts,
            candidate_healthy=_all(one.healthy for one in own),
            memory_share=_worst(one.memory_share for one in own),
            cpu_share=_worst(one.cpu_share for one in own),
            instances_since=max((one.since for one in instances[candidate]), default=None),
            latency=self._totals[candidate].latency,
            outcomes=self._outcomes[candidate].told,
            live_outcomes=self._outcomes[live].told,
        )

    def _lists(self, *, until: float) -> _Lists | None:
        """Return what there is to read; None when that can't be known now."""
        questions: dict[Slot | str, Callable[[], Sequence[object]]] = {
            slot: partial(self._instances_of, slot) for slot in Slot
        }
        questions["router"] = self._router_urls
        try:
            told = self._crew.ask(questions, until=until)
        except OperationError as error:
            if error.code != "cluster-unreachable":
                raise
            return None
        if len(told) < len(questions):
            return None
        instances = {slot: cast("tuple[Instance, ...]", tuple(told[slot])) for slot in Slot}
        return _Lists(cast("tuple[str, ...]", tuple(told["router"])), instances)

    def _router_pages(self, urls: Sequence[str], *, until: float) -> dict[str, str] | None:
        """Return the pages of all replicas; None when one is missing, or there is none."""
        questions = {url: partial(fetch, self._pool, url) for url in urls}
        pages = self._crew.ask(questions, until=until)
        texts = {url: page.text for url, page in pages.items() if page.told is Told.ANSWERED}
        return texts if texts and len(texts) == len(questions) else None

    def _take(
        self,
        slot: Slot,
        pages: dict[str, str],
        instances: Sequence[Instance],
        seen: Sequence[Seen],
        *,
        at: float,
    ) -> None:
        label = self._label_of(slot)
        replicas = {url: _running(page, label) for url, page in pages.items()}
        told = [one.slow_in_flight for one in seen if one.slow_in_flight is not None]
        # A hung instance does not tell: what it had, it still has.
        in_flight = sum(told) if told or not seen else None
        self._totals[slot].after(replicas, at=at, slow_in_flight=in_flight)
        self._outcomes[slot].after(instances, [one.outcomes for one in seen])


def _running(page: str, label: str) -> Running:
    series: dict[Hashable, Series] = {
        name: Series(counts_of(lines, name), latency_of(lines, name))
        for name, lines in sections_of(page, label).items()
    }
    return Running(series, began_of(page))


def _plain_pool() -> urllib3.PoolManager:
    import urllib3  # noqa: PLC0415  # 60 ms that commands without metrics do not pay

    return urllib3.PoolManager(maxsize=4)


def _all(healths: Iterable[bool | None]) -> bool | None:
    """Return whether all that were seen are healthy; None when none was."""
    seen = [each for each in healths if each is not None]
    return all(seen) if seen else None


def _worst(shares: Iterable[float | None]) -> float | None:
    return max((share for share in shares if share is not None), default=None)
