"""How soon which fault is found, and how often a healthy release is taken back: ours and peers'.

Every rule sees the same simulated requests, a look every second: a candidate at 10 % of 20
requests/s for the faults; prod's four steps of 15 minutes for the healthy releases. "Requests to
detect" are the candidate's between the fault and the decision; what is not found within HORIZON
requests is missed. Prints one JSON object to stdout and a table to stderr. A full run
(`--runs 1000`) takes about twenty minutes on one core; `--quick` is for a test.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Protocol

from peers import FAILED_CHECKS, Bad, MannWhitney, StaticThreshold

from deployer.analysis import Counts, Limits, Look, VerdictKind, begin, begin_step, judge
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
from deployer.simulation.traffic import Conditions, Served, Traffic

RATE = 20.0
PLANNED = 10_000.0
HORIZON = 5_000
WEIGHTS = (10, 25, 50, 100)
HOLD_SECONDS = 900
FOREVER = 1e12
GOALS = {"0.5": 40, "0.2": 180, "0.1": 1_200}
SERVICE = ServiceName("simulated")

Second = tuple[Served, Served]
Found = dict[str, float | None]


class Rule(Protocol):
    """Whatever may roll back."""

    def rolls_back(self, candidate: Counts, live: Counts) -> bool:
        """Take in one second."""
        ...


class Ours:
    """The analysis of this project, all five signals."""

    def __init__(self, planned: float) -> None:
        analysis = begin(Limits(), planned, compare=True)
        self._analysis = begin_step(
            analysis, at=0.0, hold_seconds=FOREVER, patience_seconds=FOREVER
        )
        self._at = 0.0

    def rolls_back(self, candidate: Counts, live: Counts) -> bool:
        """Take in one second."""
        self._at += 1.0
        self._analysis, verdict = judge(self._analysis, Look(self._at, candidate, live))
        return verdict.kind is VerdictKind.FAIL


def rules(bad: Bad, *, planned: float = PLANNED) -> dict[str, Rule]:
    """Return a fresh one of each."""
    return {
        "ours": Ours(planned),
        "threshold": StaticThreshold(bad),
        "failed-checks": StaticThreshold(bad, checks=FAILED_CHECKS),
        "mann-whitney": MannWhitney(bad),
    }


def failed(counts: Counts) -> int:
    """Pick the failed requests."""
    return counts.failed


def slow(counts: Counts) -> int:
    """Pick the slow requests."""
    return counts.slow


def seconds_of(traffic: Traffic, weight: int, seconds: float = FOREVER) -> Iterator[Second]:
    """Serve second by second."""
    conditions, until = Conditions(weight), traffic.at + seconds
    while traffic.at < until:
        yield traffic.serve(traffic.at + 1.0, conditions)


def detect(model: ServiceModel, bad: Bad, *, runs: int) -> dict[str, Found]:
    """Play a fault until every rule has found it; return what each needed."""
    needed: dict[str, list[float]] = {name: [] for name in rules(bad)}
    early = dict.fromkeys(needed, 0)
    for seed in range(runs):
        traffic, left = Traffic(model, seed), rules(bad)
        for candidate, live in seconds_of(traffic, 10):
            since = traffic.requests - traffic.requests_before_fault
            begun = traffic.fault_began is not None
            for name in [
                name
                for name, rule in left.items()
                if rule.rolls_back(candidate.counts, live.counts)
            ]:
                del left[name]
                if begun:
                    needed[name].append(since)
                else:
                    early[name] += 1
            if not left or (begun and since > HORIZON):
                break
    return {
        name: {
            "p50": at(found, 0.5, of=runs - early[name]),
            "p90": at(found, 0.9, of=runs - early[name]),
            "missed": round(1 - (len(found) + early[name]) / runs, 4),
            "before_the_fault": round(early[name] / runs, 4),
        }
        for name, found in needed.items()
    }


def at(found: list[float], part: float, *, of: int) -> float | None:
    """Return the quantile over all runs, those that found nothing being the longest."""
    place = max(0, math.ceil(of * part) - 1)
    return sorted(found)[place] if place < len(found) else None


def healthy(model: ServiceModel, *, runs: int) -> dict[str, float]:
    """Play prod's steps with nothing wrong; return the share of each rule that rolled back."""
    planned = 3.0 * RATE * sum(HOLD_SECONDS * weight / 100 for weight in WEIGHTS)
    rolled_back = dict.fromkeys(rules(failed), 0)
    for seed in range(runs):
        traffic, left = Traffic(model, seed), rules(failed, planned=planned)
        for weight in WEIGHTS:
            for candidate, live in seconds_of(traffic, weight, HOLD_SECONDS):
                for name, rule in list(left.items()):
                    if rule.rolls_back(candidate.counts, live.counts):
                        del left[name]
                        rolled_back[name] += 1
    return {name: round(count / runs, 4) for name, count in rolled_back.items()}


def orders_down(*, runs: int) -> dict[str, object]:
    """Let orders fall by 30 % without a 5xx. Here and only here looks need business counts."""
    return {"skipped": "a look holds no business counts yet", "runs": runs}


def blind(*, runs: int) -> dict[str, int]:
    """Take the metrics away for ten minutes; count what was decided in that time."""
    outage = Outage(after_seconds=60.0, lasts_seconds=600.0)
    scenario = Scenario(order(hold_seconds=60.0), ServiceModel(RATE, outages=(outage,)))
    decided = {"promoted": 0, "rolled-back": 0, "promoted-later": 0}
    for seed in range(runs):
        outcome = simulate(scenario, seed)
        in_time = outcome.seconds < outage.after_seconds + outage.lasts_seconds
        if outcome.end is End.PROMOTED:
            decided["promoted" if in_time else "promoted-later"] += 1
        elif in_time:
            decided["rolled-back"] += 1
    return decided


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


def random_model(rng: Random) -> ServiceModel:
    """Draw a service and what goes wrong with it: one of eight things, at any time."""
    rate, begins = rng.uniform(5.0, 100.0), rng.uniform(0.0, 80.0)
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


def timing(*, runs: int) -> dict[str, object]:
    """Time randomised rollouts, everything included: driver, engine, analysis, journal."""
    rng, wanted = Random(4), order(hold_seconds=25.0)
    ends: dict[str, int] = {}
    looks, began = 0, time.process_time()
    for seed in range(runs):
        outcome = simulate(Scenario(wanted, random_model(rng), person_seconds=30.0), seed)
        looks += outcome.looks
        ends[outcome.end] = ends.get(outcome.end, 0) + 1
    seconds = time.process_time() - began
    return {
        "rollouts": runs,
        "seconds": round(seconds, 1),
        "looks_a_rollout": round(looks / runs, 1),
        "milliseconds_a_rollout": round(1e3 * seconds / runs, 2),
        "microseconds_a_look": round(1e6 * seconds / looks, 1),
        "seconds_for_10000_of_60_looks": round(600_000 * seconds / looks, 1),
        "ends": ends,
    }


def faults() -> Iterator[tuple[str, ServiceModel, Bad]]:
    """Yield the faults by name: how many requests fail, and after how many clean ones."""
    for share in (0.5, 0.2, 0.1):
        for clean in (0, 1_000, 5_000):
            fault = Fault(Side.CANDIDATE, Behaviour(error_share=share), after_requests=clean)
            yield f"{share} errors after {clean}", ServiceModel(RATE, faults=(fault,)), failed
    slower = Behaviour(latency=Latency.with_share_above(1.5, 0.05))
    yield "p95 of 1.5 s", ServiceModel(RATE, faults=(Fault(Side.CANDIDATE, slower),)), slow


def healthy_models() -> Iterator[tuple[str, ServiceModel]]:
    """Yield the healthy ones by name."""
    hour = HOLD_SECONDS * len(WEIGHTS)
    for share in (0.005, 0.049):
        same = Behaviour(error_share=share)
        yield f"both {share}", ServiceModel(RATE, candidate=same, live=same)
    quiet = Behaviour()
    yield "both 0.005, 2 requests/s", ServiceModel(RATE / 10, candidate=quiet, live=quiet)
    low, high = Behaviour(error_share=0.01), Behaviour(error_share=0.04)
    drift = Fault(Side.BOTH, high, ramp_seconds=hour)
    yield "both 0.01 to 0.04", ServiceModel(RATE, candidate=low, live=low, faults=(drift,))


def table(detected: dict[str, dict[str, Found]], taken_back: dict[str, dict[str, float]]) -> str:
    """Draw what is compared: a row a question, a column a rule."""
    names = list(rules(failed))
    lines = [f"{'candidate requests, p50 / p90 (missed)':<40}" + "".join(f"{n:>24}" for n in names)]
    for question, cells in detected.items():
        lines.append(f"{question:<40}" + "".join(f"{cell(cells[name]):>24}" for name in names))
    lines.append("healthy, rolled back")
    for question, shares in taken_back.items():
        lines.append(f"{question:<40}" + "".join(f"{shares[name]:>24.1%}" for name in names))
    return "\n".join(lines)


def cell(found: Found) -> str:
    """Draw one rule's figures of one fault; what it did before the fault comes last."""
    p50, p90 = (f"{x:,.0f}" if x is not None else "-" for x in (found["p50"], found["p90"]))
    early = f" early {found['before_the_fault']:.0%}" if found["before_the_fault"] else ""
    return f"{p50} / {p90} ({found['missed']:.0%}){early}"


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="of each row; 1000 is a full run")
    parser.add_argument("--quick", action="store_true", help="a few runs, to see that it works")
    parser.add_argument("--timing", action="store_true", help="time randomised rollouts as well")
    parser.add_argument("--rollouts", type=int, default=10_000, help="so many, for --timing")
    options = parser.parse_args()
    runs = 5 if options.quick else options.runs
    detected, taken_back = {}, {}
    for name, model, bad in faults():
        detected[name] = detect(model, bad, runs=runs)
        say(name)
    for name, model in healthy_models():
        taken_back[name] = healthy(model, runs=runs)
        say(name)
    result = {
        "runs": runs,
        "goals_p90": GOALS,
        "detect": detected,
        "healthy": taken_back,
        "orders_down": orders_down(runs=runs),
        "metrics_down_10_minutes": blind(runs=runs),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    if options.timing:
        result["timing"] = timing(runs=100 if options.quick else options.rollouts)
    sys.stderr.write(table(detected, taken_back) + "\n")
    print(json.dumps(result, indent=2))


def say(name: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"... {name}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
