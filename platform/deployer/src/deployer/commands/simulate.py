"""`simulate`: what an environment's policy does with a release that is broken so and so much.

The same rollout is played many times on a virtual clock, by the engine that does the real ones:
once each with the fault, and once each without, which gives the share of false rollbacks.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

from deployer.commands.context import Context
from deployer.commands.orders import planned_requests
from deployer.commands.policy import NO_OPTIONS, Options, limits_of, plan_of
from deployer.engine import Kind, Order, Strategy
from deployer.environment import layered
from deployer.model import Release, ServiceName, Slot
from deployer.simulation import (
    Behaviour,
    End,
    Fault,
    Latency,
    Outcome,
    Scenario,
    ServiceModel,
    Side,
    simulate,
)

_SERVICE = ServiceName("simulated")
_LIVE = Release(_SERVICE, "1.0.0", "live")
_CANDIDATE = Release(_SERVICE, "1.1.0", "candidate")
_SLOW_SECONDS = 1.0

Progress = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the fault's share of failing and of slow requests, the traffic, how often.

    A `slow_rate` of None leaves the latency as it is. The fault begins `fault_after_seconds` after
    the rollout.
    """

    error_rate: float
    requests_per_second: float
    slow_rate: float | None = None
    fault_after_seconds: float = 0.0
    runs: int = 200
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """Many values: the one in the middle, the one that nine of ten stay below, and the largest."""

    p50: float
    p90: float
    max: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """The answer. Shares are of the runs; spreads of what it takes to detect and to be back are
    over the runs that were rolled back, None when there were none.

    `outcomes` pairs an end with its share, `rules` the rule that turned a rollout back. `exposed`
    and `failed` are the candidate's requests until the traffic was back, or to the end, over all
    runs with the fault.
    """

    policy: str
    runs: int
    seed: int
    requests_per_second: float
    error_rate: float
    slow_rate: float | None
    fault_after_seconds: float
    outcomes: dict[str, float]
    rules: dict[str, float]
    false_rollback_share: float
    detect_seconds: Spread | None
    detect_requests: Spread | None
    back_seconds: Spread | None
    exposed_requests: Spread | None
    failed_requests: Spread | None


def answer(
    context: Context,
    question: Question,
    *,
    options: Options = NO_OPTIONS,
    progress: Progress = lambda: None,
) -> Simulation:
    """Play the rollouts; `progress` is called after each, twice `question.runs` times in all.

    `options` go above the environment's `[rollout]`.
    """
    scenario = _scenario(context, question, options)
    fault = Fault(Side.CANDIDATE, _broken(question), after_seconds=question.fault_after_seconds)
    faulty = replace(scenario, model=replace(scenario.model, faults=(fault,)))
    seeds = Random(question.seed)  # noqa: S311  # a simulation, no secret
    broken = [_play(faulty, seeds.getrandbits(64), progress) for _ in range(question.runs)]
    found = [outcome for outcome in broken if outcome.end is End.ROLLED_BACK]
    healthy = [_play(scenario, seeds.getrandbits(64), progress) for _ in range(question.runs)]
    return Simulation(
        policy=context.environment.name,
        runs=question.runs,
        seed=question.seed,
        requests_per_second=question.requests_per_second,
        error_rate=question.error_rate,
        slow_rate=question.slow_rate,
        fault_after_seconds=question.fault_after_seconds,
        outcomes=_shares(outcome.end for outcome in broken),
        rules=_shares(outcome.rule for outcome in broken if outcome.rule is not None),
        false_rollback_share=_share_of(End.ROLLED_BACK, healthy),
        detect_seconds=spread_of(outcome.detect_seconds for outcome in found),
        detect_requests=spread_of(outcome.requests_to_detect for outcome in found),
        back_seconds=spread_of(outcome.back_seconds for outcome in found),
        exposed_requests=spread_of(outcome.exposed for outcome in broken),
        failed_requests=spread_of(outcome.failed for outcome in broken),
    )


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Return the spread of the values that there are, None when there are none."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    ninth = known[min(len(known) - 1, int(0.9 * len(known)))]
    middle = statistics.median_low(known)
    return Spread(*(round(value, 2) for value in (middle, ninth, known[-1])))


def _scenario(context: Context, question: Question, options: Options) -> Scenario:
    policy = layered(context.environment.rollout.model_dump(exclude_unset=True), options)
    plan = plan_of(policy, live_instances=policy.instances)
    order = Order(
        service=_SERVICE,
        kind=Kind.ROLLOUT,
        candidate=_CANDIDATE,
        candidate_slot=Slot.GREEN,
        live=_LIVE,
        live_instances=policy.instances,
        plan=plan,
        limits=limits_of(context),
        planned_requests=planned_requests(
            plan, policy.monitor_seconds, rate=question.requests_per_second
        ),
        patience_seconds=policy.patience_seconds,
        standby_seconds=policy.standby_seconds,
        started_at=0.0,
        strategy=Strategy(policy.strategy),
        monitor_seconds=policy.monitor_seconds,
        ease_weights=policy.ease_weights,
        ease_seconds=policy.ease_seconds,
    )
    model = ServiceModel(question.requests_per_second)
    return Scenario(order, model, look_seconds=policy.look_seconds)


def _broken(question: Question) -> Behaviour:
    healthy = Behaviour()
    latency = healthy.latency
    if question.slow_rate is not None:
        latency = Latency.with_share_above(_SLOW_SECONDS, question.slow_rate)
    return replace(healthy, error_share=question.error_rate, latency=latency)


def _play(scenario: Scenario, seed: int, progress: Progress) -> Outcome:
    outcome = simulate(scenario, seed)
    progress()
    return outcome


def _share_of(end: End, outcomes: list[Outcome]) -> float:
    return round(sum(outcome.end is end for outcome in outcomes) / len(outcomes), 4)


def _shares(words: Iterable[str]) -> dict[str, float]:
    counted = Counter(str(word) for word in words)
    total = counted.total()
    return {word: round(count / total, 4) for word, count in counted.most_common()}
