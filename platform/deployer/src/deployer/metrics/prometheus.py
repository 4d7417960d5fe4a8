"""The source that asks a Prometheus server, for a cluster that has one.

What `scrape` reads itself, Prometheus has read before, up to a scrape interval ago. So:

- Running totals are asked for, never rates, a number for each replica of the router; both slots'
  come from one evaluation. A replica that is not there any more has what it had.
- A slot that the router has sent nothing has no series: zero, as long as the router was read.
- A sample is one observation however often it is asked for. Health, memory and CPU are told when
  every pod was read anew since they were last told, and are not seen in between: "three looks in a
  row" are three scrapes.
- Blind: Prometheus does not answer, or in part; it could not read a replica of the router, or not
  lately; it knows no pod of the candidate. The totals are then those of the last reading.

What is wrong from the first reading on is a mistake, and raised. What goes wrong later is blindness.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from deployer.errors import InputError, OperationError
from deployer.metrics.answer import Answer, broken
from deployer.metrics.asking import Crew
from deployer.metrics.outcomes import OutcomeTotals
from deployer.metrics.pages import SECONDS
from deployer.metrics.promql import (
    Labels,
    NotPrometheusError,
    QueryRefusedError,
    Sample,
    evaluate,
)
from deployer.metrics.source import Reading
from deployer.metrics.totals import SlotTotals
from deployer.model import ServiceName, Slot
from deployer.queries import Queries, filled

if TYPE_CHECKING:
    import urllib3

_OF_ROUTER = ("router_scraped", "router_started")
_OF_SLOT = ("requests", "failed", "refused", "latency")
_OF_PODS = ("instances_scraped", "attempts", "successes", "slow_in_flight")
_OF_CANDIDATE = ("healthy", "memory", "cpu", "started")


class Prometheus:
    """A MetricsSource for one service.

    `url` is the server's, with its path prefix. `namespace` is the service's. `release_of` tells
    the release of a slot, the first 12 digits of its digest, and "" for an empty one; like
    Scrape's functions it may ask an API server. `pool` asks, with the headers that the server wants.
    """

    def __init__(
        self,
        service: ServiceName,
        candidate_slot: Slot,
        *,
        url: str,
        namespace: str,
        release_of: Callable[[Slot], str],
        queries: Queries | None = None,
        pool: urllib3.PoolManager | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._crew = Crew()
        self._pool = pool or _plain_pool()
        self._url = url
        self._names = {"service": str(service), "namespace": namespace}
        self._release_of = release_of
        self._queries = queries or Queries()
        self._now = now
        self._candidate = candidate_slot
        self._slots = {slot: _Slot() for slot in Slot}
        self._rounds = _Rounds()
        self._answered = False

    def read(self) -> Reading:
        """Return a reading of both slots within two seconds.

        Raises InputError: `query-broken` with Prometheus's message, or when a query returns
        something else than it should; `bucket-missing`; `prometheus-unknown` when something else
        answers at the URL.
        """
        at = self._now()
        releases = self._releases(until=time.monotonic() + SECONDS)
        answer = self._ask(releases, at=at) if releases else None
        if releases is None or answer is None or not self._lately(answer, releases):
            return self._reading(Answer(at, {}), reachable=False)
        for slot, each in self._slots.items():
            each.take(
                answer, slot, router=self._candidate, bound_seconds=self._queries.bound_seconds
            )
        new = self._rounds.new(answer.gauges("instances_scraped", self._candidate))
        return self._reading(answer, new=new)

    def _reading(self, answer: Answer, *, new: bool = False, reachable: bool = True) -> Reading:
        own, live = self._slots[self._candidate], self._slots[self._candidate.other]
        healthy = answer.gauges("healthy", self._candidate).values()
        return Reading(
            at=answer.at,
            reachable=reachable,
            candidate=own.totals.counts,
            live=live.totals.counts,
            candidate_healthy=all(each >= 1 for each in healthy) if healthy and new else None,
            memory_share=self._highest(answer, "memory") if new else None,
            cpu_share=self._highest(answer, "cpu") if new else None,
            instances_since=self._highest(answer, "started"),
            latency=own.totals.latency,
            outcomes=own.outcomes.told,
            live_outcomes=live.outcomes.told,
        )

    def _highest(self, answer: Answer, name: str) -> float | None:
        return max(answer.gauges(name, self._candidate).values(), default=None)

    def _releases(self, *, until: float) -> dict[Slot, str] | None:
        questions = {slot: partial(self._release_of, slot) for slot in Slot}
        try:
            releases = self._crew.ask(questions, until=until)
        except OperationError as error:
            if error.code != "cluster-unreachable":
                raise
            return None
        return releases if len(releases) == len(questions) else None

    def _ask(self, releases: Mapping[Slot, str], *, at: float) -> Answer | None:
        texts = dict(self._texts(releases))
        ask = partial(evaluate, self._pool, self._url, at=at, seconds=SECONDS)
        try:
            samples = self._in_time(partial(ask, texts))
        except (QueryRefusedError, NotPrometheusError) as error:
            if self._answered:
                return None
            raise self._mistake(texts, ask, error) from error
        self._answered = self._answered or samples is not None
        return None if samples is None else Answer.of(at, samples)

    def _in_time(
        self, question: Callable[[], tuple[Sample, ...] | None]
    ) -> tuple[Sample, ...] | None:
        until = time.monotonic() + SECONDS
        return self._crew.ask({"query": question}, until=until).get("query")

    def _texts(self, releases: Mapping[Slot, str]) -> Iterator[tuple[str, str]]:
        """Yield what is asked: nothing of the pods of an empty slot."""
        for slot in (self._candidate, self._candidate.other):
            names = [*_OF_SLOT]
            if slot is self._candidate:
                names += _OF_ROUTER
            if releases[slot]:
                names += _OF_PODS
            if releases[slot] and slot is self._candidate:
                names += _OF_CANDIDATE
            values = {**self._names, "slot": str(slot), "release": releases[slot]}
            for name in names:
                if text := getattr(self._queries, name):
                    yield f"{name}/{slot}", filled(text, values)

    def _mistake(
        self,
        texts: Mapping[str, str],
        ask: Callable[[Mapping[str, str]], tuple[Sample, ...] | None],
        error: ValueError,
    ) -> InputError:
        """Return the error that names the query: Prometheus speaks of all as one."""
        if isinstance(error, NotPrometheusError):
            return InputError(
                "prometheus-unknown",
                f"no Prometheus lets the deployer ask at {self._url}: {error}",
                hint="set prometheus_url in the section [kubernetes] of the environment's file",
            )
        for name, text in texts.items():
            try:
                self._in_time(partial(ask, {name: text}))
            except QueryRefusedError as found:
                return broken(name.partition("/")[0], f"Prometheus refuses it: {found}")
        return broken("queries", f"Prometheus refuses them together: {error}")

    def _lately(self, answer: Answer, releases: Mapping[Slot, str]) -> bool:
        """Whether all replicas of the router were read lately, and a pod of the candidate."""
        oldest = answer.at - self._queries.stale_seconds
        router = answer.gauges("router_scraped", self._candidate).values()
        pods = answer.gauges("instances_scraped", self._candidate).values()
        seen = not releases[self._candidate] or max(pods, default=-math.inf) >= oldest
        return min(router, default=-math.inf) >= oldest and seen


class _Slot:
    """What is kept of one slot between readings."""

    def __init__(self) -> None:
        self.totals = SlotTotals()
        self.outcomes = OutcomeTotals()
        self._counting: set[Labels] = set()

    def take(self, answer: Answer, slot: Slot, *, router: Slot, bound_seconds: float) -> None:
        """Take in one more answer.

        A pod without a pair has counted none yet; but if it had one, Prometheus could not read it.
        """
        replicas = answer.replicas(slot, router=router, bound_seconds=bound_seconds)
        in_flight = answer.number("slow_in_flight", slot)
        pairs = answer.outcomes(slot)
        pods = list({**answer.gauges("instances_scraped", slot), **pairs})
        pages = [pairs.get(pod, None if pod in self._counting else ()) for pod in pods]
        self.totals.after(replicas, at=answer.at, slow_in_flight=in_flight)
        self.outcomes.after(pods, pages)
        self._counting |= pairs.keys()


class _Rounds:
    """Whether all pods were read anew since that was last so."""

    def __init__(self) -> None:
        self._told: Mapping[Labels, float] = {}

    def new(self, scraped: Mapping[Labels, float]) -> bool:
        """Take in when each pod was last read."""
        if not all(at > self._told.get(pod, -math.inf) for pod, at in scraped.items()):
            return False
        self._told = scraped
        return True


def _plain_pool() -> urllib3.PoolManager:
    import urllib3  # noqa: PLC0415  # 60 ms that commands without metrics do not pay

    return urllib3.PoolManager()
