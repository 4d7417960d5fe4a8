"""What `/metrics` shows of the calls to a service's dependencies: counters and gauges, one set for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from platform_kit.dependency import Dependency


class CallCounts(Collector):
    """Reads the dependencies at the moment of the scrape; nothing is counted twice."""

    def __init__(self, identity: dict[str, str], dependencies: Sequence[Dependency]) -> None:
        self._names = [*identity, "dependency"]
        self._identity = tuple(identity.values())
        self._dependencies = tuple(dependencies)

    def collect(self) -> Iterator[Metric]:
        """Yield all of them; every outcome is there from the start, as 0."""
        calls = CounterMetricFamily(
            "dependency_calls", "Calls that are over", labels=[*self._names, "outcome"]
        )
        for each in self._dependencies:
            for outcome, count in each.outcomes().items():
                calls.add_metric([*self._identity, each.name, outcome], count)
        yield calls
        yield self._counter(
            "dependency_retries",
            "Of them, made again",
            [each.budget.spent for each in self._dependencies],
        )
        yield self._counter(
            "dependency_retries_refused",
            "Not made again: the budget was used up",
            [each.budget.refused for each in self._dependencies],
        )
        yield self._counter(
            "dependency_circuit_opened",
            "How often the circuit has opened",
            [each.breaker.opened for each in self._dependencies],
        )
        yield self._gauge(
            "dependency_circuit_state",
            "0 closed, 1 half-open, 2 open",
            [each.breaker.state for each in self._dependencies],
        )
        yield self._gauge(
            "dependency_calls_in_flight",
            "Calls being made",
            [each.bulkhead.taken for each in self._dependencies],
        )
        yield self._gauge(
            "dependency_calls_in_flight_limit",
            "How many may be made at once",
            [each.bulkhead.places for each in self._dependencies],
        )

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not ask anything."""
        return []

    def _counter(self, name: str, text: str, values: Sequence[float]) -> Metric:
        return self._filled(CounterMetricFamily(name, text, labels=self._names), values)

    def _gauge(self, name: str, text: str, values: Sequence[float]) -> Metric:
        return self._filled(GaugeMetricFamily(name, text, labels=self._names), values)

    def _filled(
        self, family: CounterMetricFamily | GaugeMetricFamily, values: Sequence[float]
    ) -> Metric:
        for each, value in zip(self._dependencies, values, strict=True):
            family.add_metric([*self._identity, each.name], value)
        return family
