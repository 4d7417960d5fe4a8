"""Strategies: small functions that return a plan, a tuple of steps.

A step says how many instances each slot has, which share of the traffic the candidate gets, how long
to stay, and what is checked. The engine walks a plan and knows no strategy. The last step gives the
candidate everything; its check is the one after promotion, which is the order's and not the plan's. `instances` are the candidate's, `live_instances` what live has.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """The ways a release can go out."""

    CANARY = "canary"
    BLUE_GREEN = "blue-green"
    ROLLING = "rolling"


class Check(StrEnum):
    """What a step asks of the candidate before the next step may begin."""

    NONE = "none"
    ANALYSIS = "analysis"


@dataclass(frozen=True, slots=True)
class Step:
    """One stop on the way: instances a slot, the candidate's weight in percent, hold and check.

    `live_instances` is what the live slot keeps once the candidate has its weight. New instances
    answer a smoke check before the weight is set. `gate`: a person lets the rollout past the step.
    """

    candidate_instances: int
    live_instances: int
    weight: int
    hold_seconds: float = 0.0
    check: Check = Check.NONE
    gate: bool = False


Plan = tuple[Step, ...]


class PlanError(ValueError):
    """A strategy was asked for a plan that can't be: weights that fall, no instances."""


def canary(
    *,
    instances: int,
    live_instances: int,
    weights: tuple[int, ...],
    hold_seconds: float,
    gates: tuple[int, ...] = (),
) -> Plan:
    """Return the canary plan: fill the idle slot, then raise its weight.

    `weights` are percentages that rise to 100; each below 100 is held and analysed for
    `hold_seconds`. `gates` are those of them that a person lets the rollout past.
    Raises PlanError when they don't rise, or when there is no instance to take the load.
    """
    _require_instances(instances)
    rising = all(a < b for a, b in itertools.pairwise(weights))
    if not weights or not rising or weights[0] <= 0 or weights[-1] != 100:
        message = f"canary weights must rise from above 0 to 100, got {list(weights)}"
        raise PlanError(message)
    unknown = sorted(set(gates) - set(weights[:-1]))
    if unknown:
        message = f"a gate stands at a weight below 100 of the plan, got {unknown}"
        raise PlanError(message)
    steps = (
        Step(instances, live_instances, weight, hold_seconds, Check.ANALYSIS, gate=weight in gates)
        for weight in weights[:-1]
    )
    return (Step(instances, live_instances, 0), *steps, Step(instances, live_instances, 100))


def blue_green(*, instances: int, live_instances: int) -> Plan:
    """Return the blue-green plan: fill the idle slot, then all traffic in one step.

    It is also the plan of a first deployment and of an immediate rollback.
    Raises PlanError when there is no instance to take the load.
    """
    _require_instances(instances)
    return (Step(instances, live_instances, 0), Step(instances, live_instances, 100))


def rolling(*, instances: int, live_instances: int, hold_seconds: float) -> Plan:
    """Return the rolling plan: one instance after the other, the weight following them.

    A step starts one of the candidate's instances, gives it its share, and stops one of live's, so
    that there is never less than full capacity. Each below 100 % is analysed for `hold_seconds`.
    Raises PlanError when there is no instance to roll.
    """
    _require_instances(instances)
    steps = (
        Step(
            number,
            math.ceil(live_instances * (instances - number) / instances),
            round(100 * number / instances),
            hold_seconds,
            Check.ANALYSIS,
        )
        for number in range(1, instances)
    )
    return (*steps, Step(instances, 0, 100))


def exposure(*, shares: tuple[int, ...], hold_seconds: float) -> Plan:
    """Return the plan of a flag: the share of callers that gets a variant rises, nothing is started.

    `shares` are percentages that rise, 100 at most; each but the last is held and analysed for
    `hold_seconds`. Raises PlanError when they don't rise.
    """
    rising = all(a < b for a, b in itertools.pairwise(shares))
    if not shares or not rising or shares[0] <= 0 or shares[-1] > 100:
        message = f"the shares of a flag must rise from above 0 to at most 100, got {list(shares)}"
        raise PlanError(message)
    *before, last = shares
    return (
        *(Step(1, 1, share, hold_seconds, Check.ANALYSIS) for share in before),
        Step(1, 1, last),
    )


def setting(share: int) -> Plan:
    """Return the plan of a flag that is set by hand: one share, which nothing is asked of."""
    if not 0 <= share <= 100:
        message = f"the share of a flag is 0 to 100, got {share}"
        raise PlanError(message)
    return (Step(1, 1, share),)


def gradual(
    *, instances: int, live_instances: int, weights: tuple[int, ...], hold_seconds: float
) -> Plan:
    """Return the plan of a gradual rollback: the bad release's share falls through `weights`.

    The candidate is the release that comes back. `weights` are percentages that fall, all between 0
    and 100; each is held for `hold_seconds`, nothing is analysed. Raises PlanError otherwise.
    """
    _require_instances(instances)
    require_falling(weights)
    steps = (Step(instances, live_instances, 100 - weight, hold_seconds) for weight in weights)
    return (Step(instances, live_instances, 0), *steps, Step(instances, live_instances, 100))


def require_falling(weights: tuple[int, ...]) -> None:
    """Raise PlanError unless the weights fall between 100 and 0, both excluded."""
    falling = all(a > b for a, b in itertools.pairwise(weights))
    if not falling or not all(0 < weight < 100 for weight in weights):
        message = (
            f"the weights of a gradual rollback must fall between 100 and 0, got {list(weights)}"
        )
        raise PlanError(message)


def _require_instances(instances: int) -> None:
    if instances < 1:
        message = f"a slot needs at least one instance, got {instances}"
        raise PlanError(message)
