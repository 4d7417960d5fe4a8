"""`plan`: the steps of a rollout, how long each takes, and how soon which fault would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deployer.analysis import begin, requests_needed
from deployer.commands.context import Context
from deployer.commands.observer import measure_rate
from deployer.commands.policy import NO_OPTIONS, Options, limits_of, plan_of, policy_of
from deployer.commands.release import parse_wanted, version_of
from deployer.engine import Check, Step, blue_green
from deployer.model import ServiceName

# The faults to foretell: half, a fifth and a tenth of the requests fail.
FAULT_SHARES = (0.5, 0.2, 0.1)
POWER = 0.9


@dataclass(frozen=True, slots=True)
class ForecastStep:
    """One step: what it does and how long it takes at today's traffic, at least.

    `check` is `none`, `smoke` where instances are new, `analysis`, or `monitor` for the check after
    promotion; `gate` whether a person
    lets the rollout past. `fault_seconds` pairs a share of failing requests with the seconds after
    which nine of ten such releases are caught; None when the step sees no traffic.
    """

    weight: int
    instances: int
    live_instances: int
    check: str
    gate: bool
    hold_seconds: float
    at_least_seconds: float | None
    fault_seconds: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """A rollout foretold. `requests_per_second` is what the service gets now.

    `at_least_seconds` is how long all of it takes, or None when too little traffic says so.
    """

    service: ServiceName
    strategy: str
    live: str | None
    candidate: str
    requests_per_second: float
    requests_for_pass: int
    at_least_seconds: float | None
    steps: tuple[ForecastStep, ...]


def forecast(context: Context, text: str, options: Options = NO_OPTIONS) -> Forecast:
    """Foretell the rollout of `SERVICE[@VERSION]` without building or changing anything."""
    wanted = parse_wanted(context, text)
    service = wanted.service
    live = context.target.situation(service).serving
    rate = measure_rate(context.target, service) if live else 0.0
    limits = limits_of(context)
    business = context.workspace.declaration(service).business
    analysis = begin(limits, 0.0, compare=True, business=business)
    alpha = limits.alpha / len(analysis.evidence)
    needed = {
        share: requests_needed(share, power=POWER, limit=limits.error_share, alpha=alpha)
        for share in FAULT_SHARES
    }
    policy = policy_of(context, service, options)
    if live is None:
        plan, monitor_seconds = blue_green(instances=policy.instances, live_instances=0), 0.0
    else:
        plan = plan_of(policy, live_instances=live.wanted)
        monitor_seconds = policy.monitor_seconds
    grown = [0, *(step.candidate_instances for step in plan)]
    steps = [
        _foretell(
            step,
            rate * step.weight / 100,
            analysis.needed_requests,
            needed,
            grows=step.candidate_instances > before,
        )
        for step, before in zip(plan, grown, strict=False)
    ]
    if monitor_seconds:
        last = replace(plan[-1], hold_seconds=monitor_seconds, check=Check.ANALYSIS)
        monitored = _foretell(last, rate, analysis.needed_requests, needed)
        steps.append(replace(monitored, check="monitor"))
    waits = [step.at_least_seconds for step in steps]
    return Forecast(
        service=service,
        strategy=policy.strategy if live else "install",
        live=live.release.version if live else None,
        candidate=str(version_of(context, wanted)),
        requests_per_second=round(rate, 2),
        requests_for_pass=analysis.needed_requests,
        at_least_seconds=None if None in waits else sum(each or 0.0 for each in waits),
        steps=tuple(steps),
    )


def _foretell(
    step: Step,
    rate: float,
    for_pass: int,
    for_fault: Mapping[float, int],
    *,
    grows: bool = False,
) -> ForecastStep:
    waits = step.check is Check.ANALYSIS
    at_least = _at_least(step.hold_seconds, for_pass, rate) if waits else step.hold_seconds
    return ForecastStep(
        weight=step.weight,
        instances=step.candidate_instances,
        live_instances=step.live_instances,
        check="smoke" if grows and not waits else step.check,
        gate=step.gate,
        hold_seconds=step.hold_seconds,
        at_least_seconds=at_least,
        fault_seconds=tuple((share, _seconds(for_fault[share], rate)) for share in for_fault),
    )


def _at_least(hold_seconds: float, requests: int, rate: float) -> float | None:
    waiting = _seconds(requests, rate)
    return None if waiting is None else max(hold_seconds, waiting)


def _seconds(requests: int, rate: float) -> float | None:
    return round(requests / rate, 1) if rate > 0 else None
