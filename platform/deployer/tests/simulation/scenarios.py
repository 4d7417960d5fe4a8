"""Scenarios for the simulation's tests: a canary of about a minute at 20 requests a second."""

from __future__ import annotations

from dataclasses import replace

from engine.orders import order

from deployer.engine import canary
from deployer.simulation import Behaviour, Fault, Outcome, Scenario, ServiceModel, Side, simulate

RATE = 20.0
WEIGHTS = (10, 25, 50, 100)


def scenario(
    *,
    rate: float = RATE,
    hold_seconds: float = 15.0,
    person_seconds: float = 30.0,
    longest_seconds: float = 7200.0,
    **model: object,
) -> Scenario:
    plan = canary(instances=2, live_instances=2, weights=WEIGHTS, hold_seconds=hold_seconds)
    # At 2 requests a second the first step waits for its requests, longer than its hold.
    patient = replace(order(plan=plan, monitor_seconds=hold_seconds), patience_seconds=300.0)
    return Scenario(
        patient,
        ServiceModel(rate, **model),  # type: ignore[arg-type]
        person_seconds=person_seconds,
        longest_seconds=longest_seconds,
    )


def errors(share: float, on: Side = Side.CANDIDATE, **when: float) -> dict[str, object]:
    """A fault of so many errors, as the keyword that a scenario takes."""
    return {"faults": (Fault(on, Behaviour(error_share=share), **when),)}  # type: ignore[arg-type]


def outcomes(wanted: Scenario, runs: int) -> list[Outcome]:
    return [simulate(wanted, seed) for seed in range(runs)]
