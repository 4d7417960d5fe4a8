"""The model of a service: its traffic, how each slot behaves, and what goes wrong when.

Plain frozen data. Times are seconds since the rollout began. Whatever goes wrong begins once
`after_seconds` have passed *and* the candidate has had `after_requests` requests: so a fault can be
there from the start, come at a time, or come after so many clean requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

_NORMAL = NormalDist()
_SPREAD = 0.8  # of the logarithm: a p95 of 3.7 times the median, as web services have


@dataclass(frozen=True, slots=True)
class Latency:
    """How long requests take: lognormal, by its median and the spread of its logarithm."""

    median_seconds: float = 0.1
    spread: float = _SPREAD

    @classmethod
    def with_share_above(cls, seconds: float, share: float, *, spread: float = _SPREAD) -> Latency:
        """Return the latency of which so large a share takes longer than `seconds`.

        A p95 of 1.5 s is `with_share_above(1.5, 0.05)`.
        """
        if share <= 0.0:
            return cls(0.0, spread)
        deviations = _NORMAL.inv_cdf(1.0 - min(share, 1.0 - 1e-12))
        return cls(seconds * math.exp(-spread * deviations), spread)

    def share_above(self, seconds: float) -> float:
        """Return the share of requests that take longer."""
        if self.median_seconds <= 0.0:
            return 0.0
        return 1.0 - _NORMAL.cdf(math.log(seconds / self.median_seconds) / self.spread)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the instances of one slot behave. Shares are of one.

    `error_share` of the requests get a 5xx, `refused_share` a 4xx. `attempt_share` of them try what
    the business counts (a login, an order), and `success_share` of those that try succeed unless
    the request failed. `memory_share` and `cpu_share` are of an instance's limit.
    """

    error_share: float = 0.005
    refused_share: float = 0.01
    latency: Latency = Latency()
    attempt_share: float = 0.2
    success_share: float = 0.98
    healthy: bool = True
    memory_share: float = 0.4
    cpu_share: float = 0.3

    def towards(self, other: Behaviour, part: float) -> Behaviour:
        """Return what lies at that part of the way to another behaviour."""

        def between(a: float, b: float) -> float:
            return a + (b - a) * part

        latency = self.latency
        if latency != other.latency:
            median = between(latency.median_seconds, other.latency.median_seconds)
            latency = Latency(median, between(latency.spread, other.latency.spread))
        return Behaviour(
            between(self.error_share, other.error_share),
            between(self.refused_share, other.refused_share),
            latency,
            between(self.attempt_share, other.attempt_share),
            between(self.success_share, other.success_share),
            other.healthy if part >= 1.0 else self.healthy,
            between(self.memory_share, other.memory_share),
            between(self.cpu_share, other.cpu_share),
        )


class Side(StrEnum):
    """Whom something hits: the release under test, the one before, or both (the environment)."""

    CANDIDATE = "candidate"
    LIVE = "live"
    BOTH = "both"

    @property
    def hits_candidate(self) -> bool:
        """Whether the candidate is hit."""
        return self is not Side.LIVE

    @property
    def hits_live(self) -> bool:
        """Whether the live release is hit."""
        return self is not Side.CANDIDATE


@dataclass(frozen=True, slots=True)
class Fault:
    """A change of behaviour, at once or over `ramp_seconds`, for `lasts_seconds`."""

    on: Side
    becomes: Behaviour
    after_seconds: float = 0.0
    after_requests: int = 0
    lasts_seconds: float = math.inf
    ramp_seconds: float = 0.0


class Mishap(StrEnum):
    """What can befall instances."""

    CRASH = "crash"  # and start again
    CRASH_LOOP = "crash-loop"  # and never get ready again
    HANG = "hang"  # answer nothing, and stay


@dataclass(frozen=True, slots=True)
class Incident:
    """Instances that die or hang at a time: so many of the slot's, all when None."""

    mishap: Mishap
    on: Side = Side.CANDIDATE
    after_seconds: float = 0.0
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the metrics can't be read. Traffic goes on."""

    after_seconds: float
    lasts_seconds: float

    def covers(self, seconds: float) -> bool:
        """Whether the metrics are down at a time."""
        return self.after_seconds <= seconds < self.after_seconds + self.lasts_seconds


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """A service under a rollout. Requests come at random times (Poisson)."""

    requests_per_second: float
    candidate: Behaviour = Behaviour()
    live: Behaviour = Behaviour()
    faults: tuple[Fault, ...] = ()
    incidents: tuple[Incident, ...] = ()
    outages: tuple[Outage, ...] = ()
