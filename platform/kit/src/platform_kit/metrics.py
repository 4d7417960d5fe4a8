"""What Prometheus reads: requests by route template, what is in flight, and use of the instance's limits.

Single process: gunicorn has one worker, so no files and no merging. Every sample says service, version and slot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from platform_kit.liveness import Activity
    from platform_kit.usage import Usage

# 1.0 exactly: "p95 above 1 s" is asked as "is the share of requests above this bucket more than 5 %".
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5, 10)
SLOW_SECONDS = 1.0

# A client may send any word as its method, but must not make a time series of it.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """A request in flight."""

    at: float


class Metrics:
    """The metrics of one instance, in a registry of its own."""

    def __init__(self, identity: dict[str, str], *, activity: Activity, usage: Usage) -> None:
        names = list(identity)
        self._identity = tuple(identity.values())
        self._in_flight: set[Begun] = set()
        self._lock = threading.Lock()
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests",
            "Requests answered",
            [*names, "method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from the first line of code to the answer",
            [*names, "method", "route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._calls = Counter(
            "api_calls",
            "Calls of an interface by its version and by who called",
            [*names, "api", "consumer"],
            registry=self.registry,
        )
        self.outcomes = Outcomes(identity)
        self.registry.register(self.outcomes)
        self.registry.register(_Present(identity, self, activity=activity, usage=usage))

    def begin(self) -> Begun:
        """Count a request in flight from now on."""
        begun = Begun(time.monotonic())
        with self._lock:
            self._in_flight.add(begun)
        return begun

    def end(self, begun: Begun) -> None:
        """Count it no longer."""
        with self._lock:
            self._in_flight.discard(begun)

    def count(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """Count an answer."""
        method = method if method in _METHODS else "OTHER"
        self._requests.labels(*self._identity, method, route, str(status)).inc()
        self._seconds.labels(*self._identity, method, route).observe(seconds)

    def call(self, api: str, consumer: str) -> None:
        """Count a call of a version of the service's interface."""
        self._calls.labels(*self._identity, api, consumer).inc()

    def in_flight(self) -> tuple[int, int]:
        """Return how many requests are in flight, and how many of them for longer than a second."""
        now = time.monotonic()
        with self._lock:
            slow = sum(now - begun.at > SLOW_SECONDS for begun in self._in_flight)
            return len(self._in_flight), slow

    def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return prometheus_client.generate_latest(self.registry)


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
        yield self._gauge("http_requests_in_flight", "Requests being answered", in_flight)
        yield self._gauge("http_requests_in_flight_slow", "Of them, older than 1 s", slow)
        waiting = self._activity.load().waiting
        yield self._gauge("http_requests_waiting", "Connections waiting for a thread", waiting)
        memory, cpu = self._usage.memory_share(), self._usage.cpu_share()
        yield self._gauge("process_memory_share", "Memory as a share of the limit", memory)
        yield self._gauge("process_cpu_share", "CPU as a share of the limit", cpu)
        # Prometheus's name, but not its client's collector: that one's CPU and memory know no limits.
        yield self._gauge("process_start_time_seconds", "When the process was started", self._began)

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: registering must not sample."""
        return []

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=list(self._identity))
        family.add_metric(list(self._identity.values()), value)
        return family
