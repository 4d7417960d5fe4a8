"""`plan`: the steps of a rollout, how long each takes, and how soon which fault would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployer.analysis import begin, requests_needed
from deployer.commands.context import Context
from deployer.commands.observer import measure_rate
from deployer.commands.orders import limits_of, plan_of, switch_plan
from deployer.commands.release import parse_wanted, version_of
from deployer.engine import Check, Step
from deployer.model import ServiceName

# The faults to foretell: half, a fifth and a tenth of the requests fail.
FAULT_SHARES = (0.5, 0.2, 0.1)
POWER = 0.9


@dataclass(frozen=True, slots=True)
class ForecastStep:
    """One step: what it does and how long it takes at today's traffic, at least.

    `fault_seconds` pairs a share of failing requests with the seconds after which nine of ten such
    releases are caught; None when the step sees no traffic.
    """

    weight: int
    instances: int
    check: str
    hold_seconds: float
    at_least_seconds: float | None
    fault_seconds: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """A rollout foretold. `requests_per_second` is what the service gets now."""

    service: ServiceName
    strategy: str
    live: str | None
    candidate: str
    requests_per_second: float
    requests_for_pass: int
    steps: tuple[ForecastStep, ...]


def forecast(context: Context, text: str) -> Forecast:
    """Foretell the rollout of `SERVICE[@VERSION]` without building or changing anything."""
    wanted = parse_wanted(context, text)
    service = wanted.service
    live = context.target.situation(service).serving
    rate = measure_rate(context.target, service) if live else 0.0
    limits = limits_of(context)
    analysis = begin(limits, 0.0, compare=True)
    alpha = limits.alpha / len(analysis.evidence)
    needed = {
        share: requests_needed(share, power=POWER, limit=limits.error_share, alpha=alpha)
        for share in FAULT_SHARES
    }
    steps = plan_of(context) if live else switch_plan(context)
    return Forecast(
        service=service,
        strategy=context.environment.rollout.strategy if live else "install",
        live=live.release.version if live else None,
        candidate=str(version_of(context, wanted)),
        requests_per_second=round(rate, 2),
        requests_for_pass=analysis.needed_requests,
        steps=tuple(
            _foretell(step, rate * step.weight / 100, analysis.needed_requests, needed)
            for step in steps
        ),
    )


def _foretell(
    step: Step, rate: float, for_pass: int, for_fault: Mapping[float, int]
) -> ForecastStep:
    waits = step.check is Check.ANALYSIS
    return ForecastStep(
        weight=step.weight,
        instances=step.candidate_instances,
        check=step.check,
        hold_seconds=step.hold_seconds,
        at_least_seconds=_at_least(step.hold_seconds, for_pass, rate)
        if waits
        else step.hold_seconds,
        fault_seconds=tuple((share, _seconds(for_fault[share], rate)) for share in for_fault),
    )


def _at_least(hold_seconds: float, requests: int, rate: float) -> float | None:
    waiting = _seconds(requests, rate)
    return None if waiting is None else max(hold_seconds, waiting)


def _seconds(requests: int, rate: float) -> float | None:
    return round(requests / rate, 1) if rate > 0 else None
