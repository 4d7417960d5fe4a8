"""Whole rollouts for `bench/analysis.py`: driver, engine, analysis and journal on a virtual clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

from deployer.analysis import Limits
from deployer.engine import Kind, Order, canary
from deployer.model import Release, ServiceName, Slot
from deployer.simulation import (
    Behaviour,
    End,
    Fault,
    Incident,
    Latency,
    Mishap,
    Outage,
    Scenario,
    ServiceModel,
    Side,
    simulate,
)

RATE = 20.0
PLANNED = 10_000.0
WEIGHTS = (10, 25, 50, 100)
SERVICE = ServiceName("simulated")
HOLD_SECONDS = 17.0  # of the timed rollouts: with these rates and faults about 60 looks each


def order(*, hold_seconds: float) -> Order:
    """Return the order of a canary."""
    return Order(
        service=SERVICE,
        kind=Kind.ROLLOUT,
        candidate=Release(SERVICE, "1.1.0", "candidate"),
        candidate_slot=Slot.GREEN,
        live=Release(SERVICE, "1.0.0", "live"),
        live_instances=2,
        plan=canary(instances=2, live_instances=2, weights=WEIGHTS, hold_seconds=hold_seconds),
        limits=Limits(),
        planned_requests=PLANNED,
        patience_seconds=600.0,
        standby_seconds=1800.0,
        started_at=0.0,
        monitor_seconds=hold_seconds,
    )


def blind(*, runs: int) -> dict[str, int]:
    """Take the metrics away for ten minutes; count what was decided in that time and after it.

    Every second candidate begins to fail while nobody sees it.
    """
    outage = Outage(after_seconds=60.0, lasts_seconds=600.0)
    fault = Fault(Side.CANDIDATE, Behaviour(error_share=0.5), after_seconds=120.0)
    models = (
        ServiceModel(RATE, outages=(outage,)),
        ServiceModel(RATE, faults=(fault,), outages=(outage,)),
    )
    decided = {"promoted": 0, "rolled-back": 0, "promoted-later": 0, "rolled-back-later": 0}
    for seed in range(runs):
        outcome = simulate(Scenario(order(hold_seconds=60.0), models[seed % 2]), seed)
        promoted = outcome.end is End.PROMOTED
        at = outcome.seconds if promoted or outcome.verdict_at is None else outcome.verdict_at
        when = "" if outage.covers(at) else "-later"
        decided[("promoted" if promoted else "rolled-back") + when] += 1
    return {"runs": runs, **decided}


def random_model(rng: Random) -> ServiceModel:
    """Draw a service and what goes wrong with it: one of eight things, at any time."""
    rate, begins = rng.uniform(20.0, 200.0), rng.uniform(0.0, 60.0)
    worse = Behaviour(error_share=rng.choice((0.02, 0.1, 0.2, 0.5, 1.0)))
    slower = Behaviour(latency=Latency.with_share_above(1.0, rng.choice((0.1, 0.3))))
    side = rng.choice(tuple(Side))
    return rng.choice(
        (
            ServiceModel(rate),
            ServiceModel(rate, faults=(Fault(Side.CANDIDATE, worse, begins),)),
            ServiceModel(rate, faults=(Fault(side, slower, begins),)),
            ServiceModel(rate, faults=(Fault(Side.BOTH, worse, begins, ramp_seconds=30.0),)),
            ServiceModel(rate, faults=(Fault(Side.LIVE, worse, begins, lasts_seconds=20.0),)),
            ServiceModel(rate, incidents=(Incident(rng.choice(tuple(Mishap)), side, begins, 1),)),
            ServiceModel(rate, outages=(Outage(begins, 30.0),)),
            ServiceModel(rate, faults=(Fault(Side.CANDIDATE, Behaviour(healthy=False), begins),)),
        )
    )


def nothing_works(model: ServiceModel) -> bool:
    """Whether both releases crash-loop: the only thing after which a rollout may end `failed`."""
    return any(
        incident.mishap is Mishap.CRASH_LOOP and incident.on is Side.BOTH
        for incident in model.incidents
    )


@dataclass(frozen=True, slots=True)
class Timing:
    """How long so many rollouts took, in seconds of one core, and how they ended."""

    rollouts: int
    seconds: float
    looks_a_rollout: float
    microseconds_a_look: float
    ends: dict[str, int]
    failed_though_something_works: int


def timing(*, runs: int) -> Timing:
    """Time randomised rollouts, everything included: driver, engine, analysis, journal."""
    rng, wanted = Random(4), order(hold_seconds=HOLD_SECONDS)
    ends = {str(end): 0 for end in End}
    looks, unexplained, began = 0, 0, time.process_time()
    for seed in range(runs):
        model = random_model(rng)
        outcome = simulate(Scenario(wanted, model, person_seconds=30.0), seed)
        looks += outcome.looks
        ends[outcome.end] += 1
        unexplained += outcome.end is End.FAILED and not nothing_works(model)
    seconds = time.process_time() - began
    return Timing(
        rollouts=runs,
        seconds=round(seconds, 1),
        looks_a_rollout=round(looks / runs, 1),
        microseconds_a_look=round(1e6 * seconds / looks, 1),
        ends=ends,
        failed_though_something_works=unexplained,
    )
