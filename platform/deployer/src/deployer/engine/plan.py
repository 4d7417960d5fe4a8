"""Strategies: small functions that return a plan, a tuple of steps.

A step says how many instances each slot has, which share of the traffic the candidate gets, how long
to stay, and what is checked. The engine walks a plan and knows no strategy.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """What a step asks of the candidate before the next step may begin."""

    NONE = "none"
    SMOKE = "smoke"
    ANALYSIS = "analysis"


@dataclass(frozen=True, slots=True)
class Step:
    """One stop on the way: instances a slot, the candidate's weight in percent, hold and check.

    `live_instances` is what the live slot keeps while this step lasts. A smoke check comes before
    the weight is set, an analysis after it.
    """

    candidate_instances: int
    live_instances: int
    weight: int
    hold_seconds: float = 0.0
    check: Check = Check.NONE


Plan = tuple[Step, ...]


class PlanError(ValueError):
    """A strategy was asked for a plan that can't be: weights that fall, no instances."""


def canary(*, instances: int, weights: tuple[int, ...], hold_seconds: float) -> Plan:
    """Return the canary plan: fill and smoke-check the idle slot, then raise its weight.

    `weights` are percentages that rise to 100; each is held and analysed for `hold_seconds`.
    Raises PlanError when they don't, or when there is no instance to take the load.
    """
    _require_instances(instances)
    rising = all(a < b for a, b in itertools.pairwise(weights))
    if not weights or not rising or weights[0] <= 0 or weights[-1] != 100:
        message = f"canary weights must rise from above 0 to 100, got {list(weights)}"
        raise PlanError(message)
    fill = Step(instances, instances, 0, check=Check.SMOKE)
    return (
        fill,
        *(Step(instances, instances, weight, hold_seconds, Check.ANALYSIS) for weight in weights),
    )


def switch(*, instances: int) -> Plan:
    """Return the plan of a first deployment or an immediate rollback: ready, smoke, all traffic."""
    _require_instances(instances)
    return (Step(instances, instances, 0, check=Check.SMOKE), Step(instances, instances, 100))


def _require_instances(instances: int) -> None:
    if instances < 1:
        message = f"a slot needs at least one instance, got {instances}"
        raise PlanError(message)
