"""What Prometheus reads: requests by route template, what is in flight, and use of the instance's limits.

Single process: gunicorn has one worker, so no files and no merging. Every sample says service, version and slot.
"""

from __future__ import annotations

import itertools
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from platform_kit.liveness import Activity
    from platform_kit.usage import Usage

# 1.0 exactly: "p95 above 1 s" is asked as "is the share of requests above this bucket more than 5 %".
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5, 10)
SLOW_SECONDS = 1.0
_BOUNDS = (*(str(float(bound)) for bound in BUCKETS), "+Inf")  # as Prometheus writes them

# A client may send any word as its method, but must not make a time series of it.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one instance, in a registry of its own."""

    def __init__(self, identity: dict[str, str], *, activity: Activity, usage: Usage) -> None:
        # When each began. A step of a dictionary is one of the interpreter's, and needs no lock.
        self._in_flight: dict[int, float] = {}
        self._numbers = itertools.count()
        self.registry = CollectorRegistry()
        self.answers = Answers(identity)
        self.registry.register(self.answers)
        self.calls = Calls(identity)
        self.registry.register(self.calls)
        self.outcomes = Outcomes(identity)
        self.registry.register(self.outcomes)
        self.registry.register(_Present(identity, self, activity=activity, usage=usage))

    def begin(self, at: float) -> int:
        """Count a request in flight from now on, by the monotonic clock `at`; return its number."""
        number = next(self._numbers)
        self._in_flight[number] = at
        return number

    def end(self, number: int) -> None:
        """Count it no longer."""
        del self._in_flight[number]

    def in_flight(self) -> tuple[int, int]:
        """Return how many requests are in flight, and how many of them for longer than a second."""
        began, now = self._in_flight.copy().values(), time.monotonic()
        return len(began), sum(now - at > SLOW_SECONDS for at in began)

    def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return prometheus_client.generate_latest(self.registry)


class Answers(Collector):
    """Answers by method, route and status, and the time they took: plain numbers under one lock.

    The client library's own counter and histogram take 12 microseconds of each request, these one:
    there, each has its locks and joins its labels anew.
    """

    def __init__(self, identity: dict[str, str]) -> None:
        self._identity = identity
        self._times: dict[tuple[str, str, int], Times] = {}
        self._lock = threading.Lock()

    def count(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """Count an answer."""
        key = (method if method in _METHODS else "OTHER", route, status)
        with self._lock:
            times = self._times.get(key)
            if times is None:
                times = self._times[key] = Times()
            times.buckets[bisect_left(BUCKETS, seconds)] += 1
            times.seconds += seconds

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """Yield the counter and the histogram of one moment; a route appears with its first answer."""
        who = list(self._identity.values())
        labels = [*self._identity, "method", "route"]
        answered = CounterMetricFamily(
            "http_requests", "Requests answered", labels=[*labels, "status"]
        )
        took = HistogramMetricFamily(
            "http_request_duration_seconds",
            "Time from the first line of code to the answer",
            labels=labels,
        )
        by_route: dict[tuple[str, str], Times] = {}
        with self._lock:
            for (method, route, status), times in self._times.items():
                answered.add_metric([*who, method, route, str(status)], sum(times.buckets))
                by_route.setdefault((method, route), Times()).add(times)
        for key, times in by_route.items():
            took.add_metric([*who, *key], times.cumulative(), times.seconds)
        yield answered
        yield took

    def describe(self) -> list[CounterMetricFamily]:
        """Return nothing: routes are not known before they are called."""
        return []


class Calls(Collector):
    """Calls of a service's interface, by its version and by who called."""

    def __init__(self, identity: dict[str, str]) -> None:
        self._identity = identity
        self._numbers: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def count(self, api: str, consumer: str) -> None:
        """Count a call of a version."""
        with self._lock:
            self._numbers[api, consumer] = self._numbers.get((api, consumer), 0) + 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counter; a pair appears with its first call."""
        family = CounterMetricFamily(
            "api_calls",
            "Calls of an interface by its version and by who called",
            labels=[*self._identity, "api", "consumer"],
        )
        with self._lock:
            numbers = dict(self._numbers)
        for pair, number in numbers.items():
            family.add_metric([*self._identity.values(), *pair], number)
        yield family

    def describe(self) -> list[CounterMetricFamily]:
        """Return nothing: callers are not known before they call."""
        return []


class Times:
    """How long answers took: how many in each bucket, and all of them together."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * len(_BOUNDS)
        self.seconds = 0.0

    def add(self, more: Times) -> None:
        """Add those of others."""
        self.buckets = [sum(pair) for pair in zip(self.buckets, more.buckets, strict=True)]
        self.seconds += more.seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Return each bound, as Prometheus writes it, with how many took no longer."""
        return list(zip(_BOUNDS, itertools.accumulate(self.buckets), strict=True))


class Outcomes(Collector):
    """Attempts and successes by name: a pair is counted, and read, in one step.

    Two counters would be read one after the other, and a pair could show more done than attempted.
    """

    def __init__(self, identity: dict[str, str]) -> None:
        self._identity = identity
        self._pairs: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def count(self, name: str, *, succeeded: bool) -> None:
        """Count an attempt that is over."""
        with self._lock:
            attempts, successes = self._pairs.get(name, (0, 0))
            self._pairs[name] = attempts + 1, successes + succeeded

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield both counters; a name appears with its first attempt."""
        labels = [*self._identity, "name"]
        attempted = CounterMetricFamily(
            "business_attempts", "Attempts that are over", labels=labels
        )
        done = CounterMetricFamily("business_successes", "Of them, done", labels=labels)
        with self._lock:
            pairs = dict(self._pairs)
        for name, (attempts, successes) in pairs.items():
            values = [*self._identity.values(), name]
            attempted.add_metric(values, attempts)
            done.add_metric(values, successes)
        yield attempted
        yield done

    def describe(self) -> list[CounterMetricFamily]:
        """Return nothing: names are not known before they are counted."""
        return []


class _Present(Collector):
    """What is read at the moment of the scrape rather than counted."""

    def __init__(
        self, identity: dict[str, str], metrics: Metrics, *, activity: Activity, usage: Usage
    ) -> None:
        self._identity = identity
        self._metrics = metrics
        self._activity = activity
        self._usage = usage
        self._began = time.time()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        in_flight, slow = self._metrics.in_flight()
        yield gauge(self._identity, "http_requests_in_flight", "Requests being answered", in_flight)
        yield gauge(self._identity, "http_requests_in_flight_slow", "Of them, older than 1 s", slow)
        waiting = self._activity.load().waiting
        yield gauge(
            self._identity, "http_requests_waiting", "Connections waiting for a thread", waiting
        )
        memory, cpu = self._usage.memory_share(), self._usage.cpu_share()
        yield gauge(
            self._identity, "process_memory_share", "Memory as a share of the limit", memory
        )
        yield gauge(self._identity, "process_cpu_share", "CPU as a share of the limit", cpu)
        # Prometheus's name, but not its client's collector: that one's CPU and memory know no limits.
        yield gauge(
            self._identity,
            "process_start_time_seconds",
            "When the process was started",
            self._began,
        )

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: registering must not sample."""
        return []


def gauge(
    identity: Mapping[str, str], name: str, text: str, value: float, **labels: str
) -> GaugeMetricFamily:
    """Return a gauge of an instance with one value, which is told apart by more labels or by none."""
    labels = {**identity, **labels}
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
