"""What Prometheus reads of the flags: decisions and requests by flag and variant, and whether the file is in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from platform_kit.flags.encounters import Encounters
from platform_kit.flags.watch import FlagWatch
from platform_kit.metrics import gauge


class FlagMetrics(Collector):
    """Reads the counts of a service's flags, and the state of their file, at the moment of the scrape."""

    def __init__(
        self, identity: Mapping[str, str], watch: FlagWatch, encounters: Encounters
    ) -> None:
        self._identity = identity
        self._watch = watch
        self._encounters = encounters

    def collect(self) -> Iterator[Metric]:
        """Yield the decisions, the requests, then the flags as declared and the file's state."""
        yield self._decisions()
        yield from self._requests()
        yield self._declared()
        state = self._watch.state
        yield gauge(
            self._identity,
            "flag_file_ok",
            "1 if what is in the file is in force",
            state.error is None,
        )
        yield gauge(
            self._identity, "flag_file_loaded_timestamp_seconds", "Since when", state.loaded_at
        )
        yield gauge(
            self._identity,
            "flag_file_info",
            "What is in force",
            1,
            file=str(self._watch.path),
            digest=state.digest,
        )

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not sample."""
        return []

    def _decisions(self) -> CounterMetricFamily:
        family = CounterMetricFamily(
            "flag_decisions", "Decisions of flags", labels=[*self._identity, "flag", "variant"]
        )
        for flag in self._watch.flags:
            for variant, number in flag.counts.numbers().items():
                family.add_metric([*self._identity.values(), flag.key, variant], number)
        return family

    def _requests(self) -> Iterator[CounterMetricFamily]:
        who, labels = [*self._identity.values()], [*self._identity, "flag", "variant"]
        answers = CounterMetricFamily(
            "flag_requests", "Requests that met a flag", labels=[*labels, "status"]
        )
        for key, number in self._encounters.answers():
            answers.add_metric([*who, *key], number)
        slow = CounterMetricFamily(
            "flag_requests_slow", "Of them, those that took more than a second", labels=labels
        )
        for pair, number in self._encounters.slow():
            slow.add_metric([*who, *pair], number)
        yield answers
        yield slow

    def _declared(self) -> GaugeMetricFamily:
        labels = [*self._identity, "flag", "owner", "expires"]
        family = GaugeMetricFamily("flag_info", "Flags as the code declares them", labels=labels)
        for flag in self._watch.flags:
            values = [*self._identity.values(), flag.key, flag.owner, flag.expires.isoformat()]
            family.add_metric(values, 1)
        return family
