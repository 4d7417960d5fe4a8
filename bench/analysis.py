"""How soon which fault is found, and how often a healthy release is taken back: ours and peers'.

Every rule sees the same simulated requests, a look every second: a candidate at 10 % of 20
requests/s for the faults, of a service that exports a business pair (six signals); prod's four steps
of 15 minutes for the healthy releases (five). "Requests to detect" are the candidate's between the
fault and the decision; what is not found within HORIZON requests is missed. Prints one JSON object to
stdout, with every budget and whether it holds, and a table to stderr. A full run (`--runs 1000`)
takes about half an hour on one core; `--jobs` spreads it; `--quick` is for a test.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median
from typing import Protocol, TypeVar

from budgets import CLEAN, P90, SUCCESSES, TIMED_ROLLOUTS, Found, budgets, timing_budget
from peers import FAILED_CHECKS, Bad, MannWhitney, StaticThreshold
from rollouts import PLANNED, RATE, WEIGHTS, blind, timing

from deployer.analysis import (
    Counts,
    Limits,
    Look,
    Outcome,
    VerdictKind,
    begin,
    begin_step,
    judge,
)
from deployer.simulation import Behaviour, Fault, Latency, ServiceModel, Side
from deployer.simulation.observer import BUSINESS
from deployer.simulation.traffic import Conditions, Served, Traffic

HORIZON = 5_000
HOLD_SECONDS = 900
FOREVER = 1e12

Second = tuple[Served, Served]
Watched = Callable[[Served], Counts]
Answer = TypeVar("Answer")


class Rule(Protocol):
    """Whatever may roll back."""

    def rolls_back(self, candidate: Served, live: Served) -> bool:
        """Take in one second."""
        ...


class Ours:
    """The analysis of this project: five signals, and one for a business pair."""

    def __init__(self, planned: float, *, business: tuple[str, ...]) -> None:
        analysis = begin(Limits(), planned, compare=True, business=business)
        self._analysis = begin_step(
            analysis, at=0.0, hold_seconds=FOREVER, patience_seconds=FOREVER
        )
        self._at = 0.0
        self._pairs = bool(business)
        self.numbers: dict[str, float] = {}

    def rolls_back(self, candidate: Served, live: Served) -> bool:
        """Take in one second."""
        self._at += 1.0
        look = Look(
            self._at,
            candidate.counts,
            live.counts,
            latency=candidate.latency,
            outcomes=outcomes(candidate) if self._pairs else (),
            live_outcomes=outcomes(live) if self._pairs else (),
        )
        self._analysis, verdict = judge(self._analysis, look)
        self.numbers = dict(verdict.numbers)
        return verdict.kind is VerdictKind.FAIL


@dataclass(frozen=True, slots=True)
class Peer:
    """A rule of others, and what it is shown."""

    rule: StaticThreshold | MannWhitney
    watched: Watched

    def rolls_back(self, candidate: Served, live: Served) -> bool:
        """Take in one second."""
        return self.rule.rolls_back(self.watched(candidate), self.watched(live))


def outcomes(served: Served) -> tuple[Outcome, ...]:
    """Return the business pair that a slot exports."""
    return (Outcome(BUSINESS, served.attempts, served.successes),)


def requests(served: Served) -> Counts:
    """Show what the router counts."""
    return served.counts


def attempts(served: Served) -> Counts:
    """Show the business pair as if it were requests: what came to nothing has failed."""
    return Counts(served.attempts, served.attempts - served.successes)


def failed(counts: Counts) -> int:
    """Pick the failed requests."""
    return counts.failed


def slow(counts: Counts) -> int:
    """Pick the slow requests."""
    return counts.slow


@dataclass(frozen=True, slots=True)
class Row:
    """A question: a service and what befalls it, and what a peer would watch to see it."""

    name: str
    model: ServiceModel
    bad: Bad = failed
    watched: Watched = requests


def peers(row: Row) -> dict[str, Rule]:
    """Return a fresh one of each of theirs."""
    return {
        "threshold": Peer(StaticThreshold(row.bad), row.watched),
        "failed-checks": Peer(StaticThreshold(row.bad, checks=FAILED_CHECKS), row.watched),
        "mann-whitney": Peer(MannWhitney(row.bad), row.watched),
    }


NAMES = ("ours", "threshold", "failed-checks", "mann-whitney")


def seconds_of(traffic: Traffic, weight: int, seconds: float = FOREVER) -> Iterator[Second]:
    """Serve second by second."""
    conditions, until = Conditions(weight), traffic.at + seconds
    while traffic.at < until:
        yield traffic.serve(traffic.at + 1.0, conditions)


def detect(row: Row, runs: int) -> dict[str, Found]:
    """Play a fault until every rule has found it; return what each needed.

    For ours also how many of its verdicts told a p95, and which in the middle.
    """
    needed: dict[str, list[float]] = {name: [] for name in NAMES}
    early, told = dict.fromkeys(NAMES, 0), []
    for seed in range(runs):
        ours = Ours(PLANNED, business=(BUSINESS,))
        traffic, left = Traffic(row.model, seed), {"ours": ours, **peers(row)}
        for candidate, live in seconds_of(traffic, 10):
            since = traffic.requests - traffic.requests_before_fault
            begun = traffic.fault_began is not None
            for name in [name for name, rule in left.items() if rule.rolls_back(candidate, live)]:
                del left[name]
                if begun:
                    needed[name].append(since)
                else:
                    early[name] += 1
            if not left or (begun and since > HORIZON):
                break
        told += [seconds for name, seconds in ours.numbers.items() if name == "p95"]
    found = {name: found_of(needed[name], early=early[name], of=runs) for name in NAMES}
    found["ours"]["p95_told"] = len(told) / max(1, len(needed["ours"]))
    found["ours"]["p95_seconds"] = round(median(told), 2) if told else None
    return found


def found_of(needed: list[float], *, early: int, of: int) -> Found:
    """Return the figures of one rule: those that rolled back before the fault found nothing."""
    return {
        "p50": at(needed, 0.5, of=of - early),
        "p90": at(needed, 0.9, of=of - early),
        "missed": round(1 - (len(needed) + early) / of, 4),
        "before_the_fault": round(early / of, 4),
    }


def at(found: list[float], part: float, *, of: int) -> float | None:
    """Return the quantile over all runs, those that found nothing being the longest."""
    place = max(0, math.ceil(of * part) - 1)
    return sorted(found)[place] if place < len(found) else None


def healthy(row: Row, runs: int) -> dict[str, float]:
    """Play prod's steps with nothing wrong; return the share of each rule that rolled back."""
    planned = 3.0 * RATE * sum(HOLD_SECONDS * weight / 100 for weight in WEIGHTS)
    rolled_back = dict.fromkeys(NAMES, 0)
    for seed in range(runs):
        traffic = Traffic(row.model, seed)
        left: dict[str, Rule] = {"ours": Ours(planned, business=()), **peers(row)}
        for weight in WEIGHTS:
            for candidate, live in seconds_of(traffic, weight, HOLD_SECONDS):
                for name, rule in list(left.items()):
                    if rule.rolls_back(candidate, live):
                        del left[name]
                        rolled_back[name] += 1
    return {name: round(count / runs, 4) for name, count in rolled_back.items()}


def faults() -> Iterator[Row]:
    """Yield the faults: how many requests fail, and after how many clean ones; then the silent ones."""
    for share in P90:
        for clean in CLEAN:
            fault = Fault(Side.CANDIDATE, Behaviour(error_share=share), after_requests=clean)
            yield Row(f"{share} errors after {clean}", ServiceModel(RATE, faults=(fault,)))
    slower = Behaviour(latency=Latency.with_share_above(1.5, 0.05))
    model = ServiceModel(RATE, faults=(Fault(Side.CANDIDATE, slower),))
    yield Row("p95 of 1.5 s", model, slow)
    for share in SUCCESSES:
        usual = Behaviour(attempt_share=0.5, success_share=share)
        fewer = Behaviour(attempt_share=0.5, success_share=0.7 * share)
        fault = Fault(Side.CANDIDATE, fewer, after_requests=1_000)
        model = ServiceModel(RATE, candidate=usual, live=usual, faults=(fault,))
        yield Row(f"orders down 30 % from {share}", model, watched=attempts)


def healthy_rows() -> Iterator[Row]:
    """Yield the healthy ones."""
    hour = HOLD_SECONDS * len(WEIGHTS)
    for share in (0.005, 0.049):
        same = Behaviour(error_share=share)
        yield Row(f"both {share}", ServiceModel(RATE, candidate=same, live=same))
    quiet = Behaviour()
    yield Row("both 0.005, 2 requests/s", ServiceModel(RATE / 10, candidate=quiet, live=quiet))
    low, high = Behaviour(error_share=0.01), Behaviour(error_share=0.04)
    drift = Fault(Side.BOTH, high, ramp_seconds=hour)
    yield Row("both 0.01 to 0.04", ServiceModel(RATE, candidate=low, live=low, faults=(drift,)))


def table(detected: dict[str, dict[str, Found]], taken_back: dict[str, dict[str, float]]) -> str:
    """Draw what is compared: a row a question, a column a rule."""
    lines = [f"{'candidate requests, p50 / p90 (missed)':<40}" + "".join(f"{n:>28}" for n in NAMES)]
    for question, cells in detected.items():
        lines.append(f"{question:<40}" + "".join(f"{cell(cells[name]):>28}" for name in NAMES))
    lines.append("healthy, rolled back")
    for question, shares in taken_back.items():
        lines.append(f"{question:<40}" + "".join(f"{shares[name]:>28.1%}" for name in NAMES))
    return "\n".join(lines)


def cell(found: Found) -> str:
    """Draw one rule's figures of one fault; what it did before the fault comes last."""
    p50, p90 = (f"{x:,.0f}" if x is not None else "-" for x in (found["p50"], found["p90"]))
    before = found["before_the_fault"] or 0.0
    early = f" early {before:.0%}" if before >= 0.005 else ""
    return f"{p50} / {p90} ({found['missed']:.0%}){early}"


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="of each row; 1000 is a full run")
    parser.add_argument("--jobs", type=int, default=1, help="rows at the same time")
    parser.add_argument("--quick", action="store_true", help="a few runs, to see that it works")
    parser.add_argument("--timing", action="store_true", help="time randomised rollouts as well")
    parser.add_argument("--rollouts", type=int, default=TIMED_ROLLOUTS, help="for --timing")
    options = parser.parse_args()
    runs = 5 if options.quick else options.runs
    taken_back = play(healthy, list(healthy_rows()), runs, jobs=options.jobs)
    detected = play(detect, list(faults()), runs, jobs=options.jobs)
    down = blind(runs=math.ceil(runs / 5))
    kept = dict(budgets(detected, taken_back, down))
    result: dict[str, object] = {
        "runs": runs,
        "detect": detected,
        "healthy": taken_back,
        "metrics_down_10_minutes": down,
    }
    if options.timing:  # last and alone, whatever ran at the same time before
        timed = timing(runs=100 if options.quick else options.rollouts)
        kept["timing"] = timing_budget(timed)
        result["timing"] = asdict(timed)
    result["budgets"] = {name: asdict(budget) for name, budget in kept.items()}
    result["all_budgets_hold"] = all(budget.holds for budget in kept.values())
    result |= {"python": platform.python_version(), "machine": platform.machine()}
    sys.stderr.write(table(detected, taken_back) + "\n")
    print(json.dumps(result, indent=2))


def play(
    question: Callable[[Row, int], Answer], rows: list[Row], runs: int, *, jobs: int
) -> dict[str, Answer]:
    """Ask every row, some at the same time; tell how far it is."""
    answers = {}
    with ExitStack() as stack:
        each = stack.enter_context(ProcessPoolExecutor(jobs)).map if jobs > 1 else map
        for row, answer in zip(rows, each(question, rows, [runs] * len(rows)), strict=True):
            answers[row.name] = answer
            sys.stderr.write(f"... {row.name}\n")
            sys.stderr.flush()
    return answers


if __name__ == "__main__":
    main()
