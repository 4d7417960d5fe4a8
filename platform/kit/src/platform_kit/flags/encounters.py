"""Which variants a request met, and what came of it: what a flag's rollout compares.

A router can't tell the two apart, so the instance counts: of the requests that met a flag, the answers by variant
and class, and those that took longer than a second. A request that asked a flag twice met it once, with what it
was told last; what threads of the service's own ask is no request.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TypeVar

from platform_kit.metrics import SLOW_SECONDS

Key = TypeVar("Key")
Met = dict[str, str]  # flags by their keys, each with the variant that the request got

# Of the request being answered. None outside of one, and where nobody counts.
met: ContextVar[Met | None] = ContextVar("flags_met", default=None)


class Encounters:
    """The counts of one instance, from its start on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str, str], int] = {}
        self._slow: dict[tuple[str, str], int] = {}

    def count(self, *, status: int, seconds: float) -> None:
        """Count the answer to a request for each flag that it met."""
        found = met.get()
        if not found:
            return
        answer = f"{status // 100}xx"
        with self._lock:
            for flag, variant in found.items():
                _add(self._answers, (flag, variant, answer))
                if seconds > SLOW_SECONDS:
                    _add(self._slow, (flag, variant))

    def answers(self) -> Iterable[tuple[tuple[str, str, str], int]]:
        """Return how many answers there were by flag, variant and class, such as `2xx`."""
        with self._lock:
            return tuple(self._answers.items())

    def slow(self) -> Iterable[tuple[tuple[str, str], int]]:
        """Return how many of them were slow, by flag and variant."""
        with self._lock:
            return tuple(self._slow.items())


def _add(counts: dict[Key, int], key: Key) -> None:
    counts[key] = counts.get(key, 0) + 1
