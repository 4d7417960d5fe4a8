"""Traffic: requests that come at random and are counted, for both slots of one service.

Time is cut where something changes (a fault begins, ends, or is a stage further up its ramp), and
each piece is drawn at once: Poisson many requests, of which binomially many fail, are slow, are
refused, and try what the business counts. What changes outside (weights, instances) is told with
each call, which is why it must be called before they change.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from deployer.metrics import Counts
from deployer.metrics.latency import NO_LATENCY
from deployer.metrics.latency import Latency as Histogram
from deployer.metrics.router import SLOW_SECONDS
from deployer.simulation.sampling import binomial, poisson
from deployer.simulation.service import Behaviour, Fault, ServiceModel

# Of the candidate's histogram, as a router's: it must have the limit in it.
BOUNDS = (0.05, 0.1, 0.25, 0.5, SLOW_SECONDS, 1.5, 2.5, 5.0)
_FAST = BOUNDS.index(SLOW_SECONDS) + 1  # so many buckets hold what is not slow

_NO_COUNTS = Counts()
_STAGES = 64  # of a ramp: fine enough that no look sees a jump


@dataclass(frozen=True, slots=True)
class Served:
    """What was served: requests counted as a router does, and business attempts as a service.

    `latency` is of the candidate only.
    """

    counts: Counts = _NO_COUNTS
    attempts: int = 0
    successes: int = 0
    latency: Histogram = NO_LATENCY

    def __add__(self, other: Served) -> Served:
        return Served(
            self.counts + other.counts,
            self.attempts + other.attempts,
            self.successes + other.successes,
            self.latency + other.latency,
        )


NOTHING = Served()


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the traffic is split: the candidate's weight, and which share of each slot answers."""

    weight: int = 0
    candidate_answers: float = 1.0
    live_answers: float = 1.0


@dataclass(frozen=True, slots=True)
class _Shares:
    """A behaviour as chances, each of what is left after the ones before.

    `fast_buckets` and `slow_buckets` split what is not slow, and what is.
    """

    failed: float
    refused: float
    slow: float
    attempt: float
    success: float
    fast_buckets: tuple[float, ...]
    slow_buckets: tuple[float, ...]


class Traffic:
    """One service's traffic from second 0 on. The same seed and calls serve the same requests.

    `requests` and `failed` are the candidate's so far, `exposed_at` is when it got its first share
    of the traffic, `fault_began` when the first thing went wrong.
    """

    def __init__(self, model: ServiceModel, seed: int) -> None:
        self.at = 0.0
        self.requests = 0
        self.failed = 0
        self.exposed_at: float | None = None
        self.fault_began: float | None = None
        self.requests_before_fault = 0
        self._model = model
        self._rng = Random(seed)  # noqa: S311  # a simulation, no secret
        self._began: list[float | None] = [None] * len(model.faults)
        self._valid_until = -math.inf
        self._conditions: Conditions | None = None
        self._candidate, self._live = model.candidate, model.live
        self._shares = _shares(model.candidate, 1.0), _shares(model.live, 1.0)

    @property
    def candidate(self) -> Behaviour:
        """How the candidate behaves now."""
        return self._candidate

    def serve(self, until: float, conditions: Conditions) -> tuple[Served, Served]:
        """Serve until a time; return what the candidate and live served since the last call."""
        pieces = list(self._pieces(until, conditions))
        if len(pieces) == 1:
            return pieces[0]
        candidates, lives = [each[0] for each in pieces], [each[1] for each in pieces]
        return sum(candidates, NOTHING), sum(lives, NOTHING)

    def note_fault(self) -> None:
        """Note that something goes wrong from now on, unless something did before."""
        if self.fault_began is None:
            self.fault_began, self.requests_before_fault = self.at, self.requests

    def _pieces(self, until: float, conditions: Conditions) -> Iterator[tuple[Served, Served]]:
        while self.at < until:
            if self.at >= self._valid_until or conditions != self._conditions:
                self._settle(conditions)
            yield self._serve_evenly(min(until, self._valid_until), conditions.weight / 100.0)

    def _serve_evenly(self, until: float, weight: float) -> tuple[Served, Served]:
        """Serve while nothing changes; stop early at the request after which a fault begins."""
        rate, seconds = self._model.requests_per_second, until - self.at
        candidate = poisson(self._rng, round(rate * weight * seconds, 6))
        before_fault = self._requests_until_fault()
        if candidate and candidate >= before_fault:
            seconds *= before_fault / candidate
            candidate = before_fault
            self._valid_until = -math.inf
            until = self.at + seconds
        live = poisson(self._rng, round(rate * (1.0 - weight) * seconds, 6))
        self.at = until
        by_candidate = _serve(self._rng, candidate, self._shares[0], timed=True)
        self.requests += candidate
        self.failed += by_candidate.counts.failed
        return by_candidate, _serve(self._rng, live, self._shares[1])

    def _requests_until_fault(self) -> int:
        """Return after how many candidate requests the next fault begins that waits for them."""
        waiting = [
            fault.after_requests - self.requests
            for fault, began in zip(self._model.faults, self._began, strict=True)
            if began is None and fault.after_requests > self.requests
        ]
        return min(waiting, default=1 << 62)

    def _settle(self, conditions: Conditions) -> None:
        """Work out how both slots behave from now on, and until when that holds."""
        self._candidate, self._live = self._model.candidate, self._model.live
        self._valid_until = math.inf
        for number, fault in enumerate(self._model.faults):
            self._begin(number, fault)
            self._apply(fault, self._began[number])
        self._conditions = conditions
        if conditions.weight and self.exposed_at is None:
            self.exposed_at = self.at
        self._shares = (
            _shares(self._candidate, conditions.candidate_answers),
            _shares(self._live, conditions.live_answers),
        )

    def _begin(self, number: int, fault: Fault) -> None:
        if self._began[number] is not None or self.requests < fault.after_requests:
            return
        if self.at < fault.after_seconds:
            self._valid_until = min(self._valid_until, fault.after_seconds)
            return
        self._began[number] = self.at
        self.note_fault()

    def _apply(self, fault: Fault, began: float | None) -> None:
        if began is None or self.at >= began + fault.lasts_seconds:
            return
        self._valid_until = min(self._valid_until, began + fault.lasts_seconds)
        part = 1.0
        if self.at < began + fault.ramp_seconds:
            # Never stand still for rounding: the stage after the one that is under way.
            stage = math.floor((self.at - began) / fault.ramp_seconds * _STAGES + 1e-6) + 1
            self._valid_until = min(self._valid_until, began + fault.ramp_seconds * stage / _STAGES)
            part = stage / _STAGES
        if fault.on.hits_candidate:
            self._candidate = self._model.candidate.towards(fault.becomes, part)
        if fault.on.hits_live:
            self._live = self._model.live.towards(fault.becomes, part)


@lru_cache(maxsize=1024)
def _shares(behaviour: Behaviour, answers: float) -> _Shares:
    """Return the chances of a slot of which that share of the instances answers.

    Whoever is sent to one that doesn't gets no answer: failed, and slow.
    """
    failed = 1.0 - (1.0 - behaviour.error_share) * answers
    slow = 1.0 - (1.0 - behaviour.latency.share_above(SLOW_SECONDS)) * answers
    left = 1.0 - failed
    above = [1.0, *(behaviour.latency.share_above(bound) for bound in BOUNDS), 0.0]
    buckets = [answers * (a - b) for a, b in itertools.pairwise(above)]
    buckets[-1] += 1.0 - answers
    return _Shares(
        failed=failed,
        refused=min(1.0, behaviour.refused_share / left) if left > 0.0 else 0.0,
        slow=slow,
        attempt=behaviour.attempt_share,
        success=behaviour.success_share * left,
        fast_buckets=_in_turn(buckets[:_FAST]),
        slow_buckets=_in_turn(buckets[_FAST:]),
    )


def _in_turn(parts: list[float]) -> tuple[float, ...]:
    """Return each part's chance when the parts before it were not drawn; the last takes the rest."""
    left = [sum(parts[place:]) for place in range(len(parts))]
    return tuple(
        part / rest if rest > 0.0 else 0.0 for part, rest in zip(parts, left, strict=True)
    )[:-1]


def _serve(rng: Random, requests: int, shares: _Shares, *, timed: bool = False) -> Served:
    if not requests:
        return NOTHING
    failed = binomial(rng, requests, shares.failed)
    refused = binomial(rng, requests - failed, shares.refused)
    slow = binomial(rng, requests, shares.slow)
    attempts = binomial(rng, requests, shares.attempt)
    successes = binomial(rng, attempts, shares.success)
    latency = NO_LATENCY
    if timed:
        fast = _split(rng, requests - slow, shares.fast_buckets)
        latency = Histogram(BOUNDS, (*fast, *_split(rng, slow, shares.slow_buckets)))
    return Served(Counts(requests, failed, slow, refused), attempts, successes, latency)


def _split(rng: Random, requests: int, chances: tuple[float, ...]) -> list[int]:
    parts = []
    for chance in chances:
        drawn = binomial(rng, requests, chance)
        requests -= drawn
        parts.append(drawn)
    return [*parts, requests]
