"""What Prometheus answered at one time, in the words of a reading. Pure.

Every query says in `deployer.queries` what it has to return; another shape is refused here, by the
query's name.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from deployer.errors import InputError
from deployer.metrics.counts import Counts
from deployer.metrics.latency import NO_LATENCY, Latency
from deployer.metrics.promql import Labels, Sample
from deployer.metrics.router import SLOW_SECONDS
from deployer.metrics.source import Outcome
from deployer.metrics.totals import Running, Series
from deployer.model import Slot

# A query that makes one number of all replicas has no labels, and that one was always there.
_ALL: Labels = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The elements of all queries, by `<query>/<slot>`; what was not asked is empty."""

    at: float
    vectors: Mapping[str, Sequence[Sample]]

    @classmethod
    def of(cls, at: float, samples: Sequence[Sample]) -> Answer:
        """Return the answer that these elements make."""
        vectors: dict[str, list[Sample]] = {}
        for sample in samples:
            vectors.setdefault(sample.query, []).append(sample)
        return cls(at, vectors)

    def gauges(self, name: str, slot: Slot) -> dict[Labels, float]:
        """Return a number an element, without those that are none (0 of 0)."""
        numbers = {sample.labels: sample.value for sample in self._vector(name, slot)}
        return {labels: value for labels, value in numbers.items() if math.isfinite(value)}

    def number(self, name: str, slot: Slot) -> int:
        """Return the one number of a query; nothing is 0."""
        elements = self._vector(name, slot)
        if len(elements) > 1:
            raise broken(name, f"it has to return one number, and returns {len(elements)}")
        return sum(self._totals(name, slot).values())

    def replicas(self, slot: Slot, *, router: Slot, bound_seconds: float) -> dict[Labels, Running]:
        """Return what each replica of the router has counted of a slot: zero without a series."""
        read = self.gauges("router_scraped", router)
        began = self.gauges("router_started", router)
        requests, failed, refused = (
            self._totals(name, slot) for name in ("requests", "failed", "refused")
        )
        latencies = self._latencies(slot, bound_seconds)
        names = {name for labels in read for name, _ in labels}
        running: dict[Labels, dict[Hashable, Series]] = {labels: {} for labels in {_ALL, *read}}
        for labels in {*requests, *failed, *refused, *latencies}:
            replica = tuple(pair for pair in labels if pair[0] in names)
            latency = latencies.get(labels, NO_LATENCY)
            counts = Counts(
                requests.get(labels, 0),
                failed.get(labels, 0),
                _slow(latency),
                refused.get(labels, 0),
            )
            running.setdefault(replica, {})[labels] = Series(counts, latency)
        return {labels: Running(each, began.get(labels)) for labels, each in running.items()}

    def outcomes(self, slot: Slot) -> dict[Labels, tuple[Outcome, ...]]:
        """Return the business pairs of each pod. Half a pair is none."""
        attempts, successes = (
            {_by(sample, "name"): _count(sample) for sample in self._vector(name, slot)}
            for name in ("attempts", "successes")
        )
        pods: dict[Labels, tuple[Outcome, ...]] = {}
        for pod, name in sorted(attempts.keys() & successes.keys()):
            pair = Outcome(name, attempts[pod, name], successes[pod, name])
            pods[pod] = (*pods.get(pod, ()), pair)
        return pods

    def _latencies(self, slot: Slot, bound_seconds: float) -> dict[Labels, Latency]:
        within: dict[Labels, dict[float, int]] = {}
        for sample in self._vector("latency", slot):
            labels, bound = _by(sample, "le")
            # 1000 ms have to be 1 s, whatever 0.001 is in binary.
            seconds = round(float(bound) * bound_seconds, 9)
            within.setdefault(labels, {})[seconds] = _count(sample)
        return {labels: Latency.of(each) for labels, each in within.items()}

    def _totals(self, name: str, slot: Slot) -> dict[Labels, int]:
        return {sample.labels: _count(sample) for sample in self._vector(name, slot)}

    def _vector(self, name: str, slot: Slot) -> Sequence[Sample]:
        elements = self.vectors.get(f"{name}/{slot}", ())
        if len({sample.labels for sample in elements}) < len(elements):
            raise broken(name, "it returns two elements with the same labels")
        return elements


def broken(name: str, why: str) -> InputError:
    """Return the error of a query that can't be used."""
    return InputError(
        "query-broken",
        f"the query `{name}`: {why}",
        hint=f"mend `{name}` in the section [kubernetes.queries] of the environment's file",
    )


def _by(sample: Sample, label: str) -> tuple[Labels, str]:
    value = dict(sample.labels).get(label)
    if value is None:
        raise broken(sample.query.partition("/")[0], f"it has to return a vector by `{label}`")
    return tuple(pair for pair in sample.labels if pair[0] != label), value


def _count(sample: Sample) -> int:
    if not math.isfinite(sample.value) or sample.value < 0:
        name = sample.query.partition("/")[0]
        raise broken(name, f"it has to return running totals, and returns {sample.value}")
    return int(sample.value)


def _slow(latency: Latency) -> int:
    if not sum(latency.counts):
        return 0
    if SLOW_SECONDS not in latency.bounds:
        raise InputError(
            "bucket-missing",
            f"the router's histogram has no bucket at {SLOW_SECONDS:g} s, so slow requests can't be told",
            hint="give the router that bucket, or set bound_seconds if it counts milliseconds",
        )
    return sum(latency.counts[latency.bounds.index(SLOW_SECONDS) + 1 :])
