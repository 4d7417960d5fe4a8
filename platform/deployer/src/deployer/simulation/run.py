"""One simulated rollout: the real driver, engine, analysis and journal on a virtual clock.

`simulate(scenario, seed)` plays a rollout to its end and says what came of it. Nothing in it waits:
a rollout of an hour takes a fraction of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from deployer.analysis import Rule, VerdictKind
from deployer.driver import Driver, encode_order
from deployer.engine import (
    WAY_BACK,
    AbortRequested,
    Event,
    Hook,
    Looked,
    Order,
    Rollout,
    begin_rollout,
)
from deployer.ledger import Request, Verb
from deployer.ledger.memory import MemoryLedger
from deployer.model import RolloutId
from deployer.simulation.observer import SimulatedObserver
from deployer.simulation.service import ServiceModel
from deployer.targets import Interrupted
from deployer.targets.clock import VirtualClock
from deployer.targets.simulated import SimulatedTarget, Timings

_HOLDER = "simulation:1:0.00"


class End(StrEnum):
    """How a simulated rollout ended. `held` and `undecided` ended because a person was missing."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    HELD = "held"
    UNDECIDED = "undecided"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated: an order, the service that it meets, and how patient people are.

    A person who is asked (`hold`) takes the rollout back after `person_seconds`; whatever has not
    ended after `longest_seconds`, say because nobody could see anything, is taken back too.
    """

    order: Order
    model: ServiceModel
    look_seconds: float = 1.0
    timings: Timings = field(default_factory=Timings)
    person_seconds: float = 300.0
    longest_seconds: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a rollout; times in virtual seconds since it began.

    `rule` is the verdict's that turned it back, None when nothing did or an action failed.
    `fault_at` is when something was wrong with a candidate that had traffic; `verdict_at` when the
    rollout turned back by itself, and `back_at` when the router had moved all traffic back.
    `exposed` and `failed` count the candidate's requests until then, `requests_to_detect` those
    between fault and verdict.
    """

    end: End
    rule: Rule | None
    cause: str | None
    seconds: float
    looks: int
    fault_at: float | None
    verdict_at: float | None
    back_at: float | None
    exposed: int
    failed: int
    requests_to_detect: int | None

    @property
    def detect_seconds(self) -> float | None:
        """From the fault to the verdict; None when there was no fault before it."""
        return _between(self.fault_at, self.verdict_at)

    @property
    def back_seconds(self) -> float | None:
        """From the fault to all traffic back."""
        return _between(self.fault_at, self.back_at)


@dataclass(frozen=True, slots=True)
class Played:
    """A rollout that was simulated, with all that it left behind."""

    outcome: Outcome
    state: Rollout
    ledger: MemoryLedger
    target: SimulatedTarget


class _NoHooks:
    """There is nothing outside that could be called."""

    def call(self, hook: Hook, rollout: Rollout, *, interrupted: Interrupted) -> tuple[str, ...]:
        """Say yes to whatever a hook would have checked."""
        del hook, rollout, interrupted
        return ()


class _Witness:
    """Hears of every new state: notes when what happened, and plays the person who is asked."""

    def __init__(
        self,
        scenario: Scenario,
        rollout: RolloutId,
        *,
        ledger: MemoryLedger,
        observer: SimulatedObserver,
        target: SimulatedTarget,
    ) -> None:
        self.looks = 0
        self.rule: Rule | None = None
        self.verdict_at: float | None = None
        self.back_at: float | None = None
        self.requests_at_verdict = 0
        self.gave_up: End | None = None
        self._scenario = scenario
        self._rollout = rollout
        self._ledger = ledger
        self._observer = observer
        self._target = target
        self._turned_back = False
        self._asked_at = math.inf

    def hear(self, state: Rollout, event: Event | None) -> None:
        """Take note of a state, and of the event that led to it."""
        if event is None:
            return
        if isinstance(event, Looked):
            self.looks += 1
            self._be_asked(state, event.at)
        if state.phase in WAY_BACK and not self._turned_back:
            self._turn_back(state, event)
        if self._turned_back and self.back_at is None:
            order = state.order
            if not self._target.weight(order.service, order.candidate_slot):
                self.back_at = event.at

    def _turn_back(self, state: Rollout, event: Event) -> None:
        self._turned_back = True
        if isinstance(event, AbortRequested):
            return
        self._observer.serve(event.at)
        self.requests_at_verdict = self._observer.traffic.requests
        self.verdict_at = event.at
        if isinstance(event, Looked) and state.verdict is not None:
            self.rule = state.verdict.rule

    def _be_asked(self, state: Rollout, at: float) -> None:
        """Play the person: give up on what nobody decides."""
        asked = state.verdict is not None and state.verdict.kind is VerdictKind.HOLD
        self._asked_at = min(self._asked_at, at) if asked else math.inf
        if self.gave_up or state.phase in WAY_BACK:
            return
        if at >= self._asked_at + self._scenario.person_seconds:
            self.gave_up = End.HELD
        elif at >= self._scenario.longest_seconds:
            self.gave_up = End.UNDECIDED
        else:
            return
        request = Request(at, Verb.ABORT, by="simulation", why="nobody decided")
        self._ledger.request(self._scenario.order.service, self._rollout, request)


def simulate(scenario: Scenario, seed: int) -> Outcome:
    """Play a rollout to its end and return what came of it. The same seed gives the same."""
    return play(scenario, seed).outcome


def play(scenario: Scenario, seed: int) -> Played:
    """Play a rollout to its end and return all that it left behind, its ledger too."""
    order, clock = scenario.order, VirtualClock()
    target = SimulatedTarget(clock, scenario.timings)
    if order.live is not None:
        target.install(order.candidate_slot.other, order.live, order.live_instances)
    observer = SimulatedObserver(scenario.model, order, target=target, clock=clock, seed=seed)
    ledger = MemoryLedger(lease_seconds=math.inf)  # there is nobody who could take it
    lease = ledger.acquire(order.service, _HOLDER, now=clock.now())
    rollout = ledger.begin(lease, encode_order(order), now=clock.now())
    witness = _Witness(scenario, rollout, ledger=ledger, observer=observer, target=target)
    driver = Driver(
        target=target,
        ledger=ledger,
        observer=observer,
        hooks=_NoHooks(),
        clock=clock,
        look_seconds=scenario.look_seconds,
        listen=witness.hear,
        renews_lease=False,
        poll_seconds=math.inf,  # the person who is asked speaks between two events
    )
    state = driver.run(lease, rollout, begin_rollout(order))
    observer.serve(clock.now())
    return Played(_outcome(state, clock.now(), witness, observer), state, ledger, target)


def _outcome(
    state: Rollout, seconds: float, witness: _Witness, observer: SimulatedObserver
) -> Outcome:
    traffic = observer.traffic
    fault_at = None
    if traffic.fault_began is not None and traffic.exposed_at is not None:
        fault_at = max(traffic.fault_began, traffic.exposed_at)
    detected = _between(fault_at, witness.verdict_at) is not None
    to_detect = witness.requests_at_verdict - traffic.requests_before_fault
    return Outcome(
        end=witness.gave_up or End(state.phase),
        rule=witness.rule,
        cause=state.cause,
        seconds=seconds,
        looks=witness.looks,
        fault_at=fault_at,
        verdict_at=witness.verdict_at,
        back_at=witness.back_at,
        exposed=traffic.requests,
        failed=traffic.failed,
        requests_to_detect=to_detect if detected else None,
    )


def _between(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None or last < first else last - first
