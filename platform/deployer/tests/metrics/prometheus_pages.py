"""Prometheus's JSON, as a test tells it: a vector a query, and the labels that mark them."""

from __future__ import annotations

from collections.abc import Mapping

Labels = Mapping[str, str]


def vector(*elements: tuple[str, Labels, float]) -> dict[str, object]:
    """An answer with so many elements: query, labels, value."""
    result = [
        {"metric": {"deployer_query": query, **labels}, "value": [1_000.0, str(value)]}
        for query, labels, value in elements
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class Store:
    """What Prometheus knows: numbers that a test sets, and the answer that they make."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def set(self, query: str, value: float, **labels: str) -> None:
        """Say that a query has an element of such labels."""
        self.numbers[query, tuple(labels.items())] = value

    def forget(self, **labels: str) -> None:
        """Drop all elements with such labels: their target is not there any more."""
        gone = set(labels.items())
        self.numbers = {key: v for key, v in self.numbers.items() if not gone <= set(key[1])}

    def router(self, name: str = "a", *, read: float = 1_000.0, began: float = 10.0) -> None:
        """Say when a replica of the router was read, and when it began."""
        self.set("router_scraped/green", read, instance=name)
        self.set("router_started/green", began, instance=name)

    def routed(
        self, slot: str, requests: int, *, failed: int = 0, slow: int = 0, replica: str = "a"
    ) -> None:
        """Say what a replica of the router has sent a slot."""
        self.set(f"requests/{slot}", requests, instance=replica)
        self.set(f"failed/{slot}", failed, instance=replica)
        for bound, count in (("0.5", 0), ("1", requests - slow), ("+Inf", requests)):
            self.set(f"latency/{slot}", count, instance=replica, le=bound)

    def pod(self, name: str = "p", *, read: float, healthy: int = 1, memory: float = 0.1) -> None:
        """Say what is known of a pod of the candidate."""
        self.set("instances_scraped/green", read, pod=name)
        self.set("healthy/green", healthy, pod=name)
        self.set("memory/green", memory, pod=name)
        self.set("started/green", 900.0, pod=name)

    def orders(self, slot: str, attempts: int, successes: int, *, pod: str = "p") -> None:
        """Say what a pod has counted."""
        self.set(f"attempts/{slot}", attempts, pod=pod, name="orders")
        self.set(f"successes/{slot}", successes, pod=pod, name="orders")

    @property
    def answer(self) -> dict[str, object]:
        return vector(*((query, dict(labels), v) for (query, labels), v in self.numbers.items()))
