"""One slot's totals since the first look, over all replicas of the router. They never fall.

Each replica of the router counts for itself, from when it began. So each is subtracted from itself,
and only what came in between is added up: a sum of all would fall when one restarts, and then look
as if all of them had begun again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from deployer.metrics.counts import NO_COUNTS, Counts
from deployer.metrics.latency import NO_LATENCY, Latency

Replica = TypeVar("Replica", bound=Hashable)

# The start of a process is told in whole or hundredth seconds since a boot whose time is itself
# adjusted by up to a second.
_SAME_START_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Series:
    """Running totals that rise together, and go together."""

    counts: Counts = NO_COUNTS
    latency: Latency = NO_LATENCY

    def __add__(self, other: Series) -> Series:
        return Series(self.counts + other.counts, self.latency + other.latency)

    def since(self, previous: Series) -> Series:
        """Return what came after `previous`; all of it when they began again at zero."""
        return Series(self.counts.since(previous.counts), self.latency.since(previous.latency))


NO_SERIES = Series()


@dataclass(frozen=True, slots=True)
class Running:
    """What one replica has counted of one slot since it `began`; None when it does not tell.

    Traefik has a series for each route and rule by which a slot is reached, and drops it with them:
    one that is new on a page that was read before began at zero, and so does one that comes back.
    """

    series: Mapping[Hashable, Series]
    began: float | None = None

    @property
    def all(self) -> Series:
        """All that it has counted."""
        return sum(self.series.values(), NO_SERIES)

    def since(self, previous: Running) -> Series:
        """Return what came after an earlier look at the same replica."""
        if _restarted(previous, self):
            return self.all
        came = (each.since(previous.series.get(s, NO_SERIES)) for s, each in self.series.items())
        return sum(came, NO_SERIES)


class SlotTotals:
    """The totals of one slot.

    What a replica had counted before the first look is somebody else's. One that is seen for the
    first time later has counted all of it since the first look if it began after that; if it began
    before (it could not be read at first), or does not tell, its past is not counted either.
    """

    def __init__(self) -> None:
        self._replicas: dict[Hashable, Running] = {}
        self._since: float | None = None
        self._finished = NO_COUNTS
        self._slow_in_flight = 0
        self.counts = NO_COUNTS
        self.latency = NO_LATENCY

    def after(
        self, replicas: Mapping[Replica, Running], *, at: float, slow_in_flight: int | None
    ) -> None:
        """Take in one more look at the replicas.

        `slow_in_flight` are requests that no replica has counted yet; None for those of the last
        look. A replica that is not among them has what it had.
        """
        for name, running in replicas.items():
            came = self._came(self._replicas.get(name), running)
            self._finished += came.counts
            self.latency += came.latency
            self._replicas[name] = running
        self._since = at if self._since is None else self._since
        if slow_in_flight is not None:
            self._slow_in_flight = slow_in_flight
        in_flight = Counts(requests=self._slow_in_flight, slow=self._slow_in_flight)
        self.counts = _highest(self.counts, self._finished + in_flight)

    def _came(self, before: Running | None, now: Running) -> Series:
        if before is not None:
            return now.since(before)
        known = None not in {self._since, now.began}
        return now.all if known and (now.began or 0.0) >= (self._since or 0.0) else NO_SERIES


def _restarted(before: Running, now: Running) -> bool:
    if before.began is None or now.began is None:
        return False
    return abs(now.began - before.began) > _SAME_START_SECONDS


def _highest(before: Counts, after: Counts) -> Counts:
    return Counts(
        max(before.requests, after.requests),
        max(before.failed, after.failed),
        max(before.slow, after.slow),
        max(before.refused, after.refused),
    )
