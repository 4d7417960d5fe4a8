"""What `/metrics` shows of events: how much waits and how deliveries end, and what came of those that arrived.

The outbox is counted by the relay, now and then: a database that hangs must not make a scrape wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from platform_kit.metrics import gauge

if TYPE_CHECKING:
    from platform_kit.events.inbox import Inbox
    from platform_kit.events.relay import Relay


class OutboxMetrics(Collector):
    """Reads what the relay has seen and done."""

    def __init__(self, identity: Mapping[str, str], relay: Relay) -> None:
        self._identity = identity
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        """Yield the depth as it was last counted, and the deliveries; every end is there from the start."""
        depth = self._relay.depth
        yield gauge(self._identity, "outbox_events", "Events not confirmed yet", depth.events)
        yield gauge(
            self._identity, "outbox_oldest_seconds", "Age of the oldest", depth.oldest_seconds
        )
        yield gauge(self._identity, "outbox_given_up", "Of them, tried no more", depth.given_up)
        ended = CounterMetricFamily(
            "outbox_deliveries", "Attempts by their end", labels=[*self._identity, "outcome"]
        )
        for outcome, number in self._relay.deliveries().items():
            ended.add_metric([*self._identity.values(), outcome], number)
        yield ended

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not sample."""
        return []


class InboxMetrics(Collector):
    """Reads what came of the events that arrived."""

    def __init__(self, identity: Mapping[str, str], inbox: Inbox) -> None:
        self._identity = identity
        self._inbox = inbox

    def collect(self) -> Iterator[Metric]:
        """Yield the counter; what this release knows is there from the start."""
        taken = CounterMetricFamily(
            "inbox_events",
            "Events that arrived, by what came of them",
            labels=[*self._identity, "type", "outcome"],
        )
        for (type_, outcome), number in self._inbox.taken().items():
            taken.add_metric([*self._identity.values(), type_, outcome], number)
        yield taken

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not sample."""
        return []
