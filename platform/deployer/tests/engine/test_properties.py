"""The engine under any order of events: what must never happen, and what must always."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.orders import NEW, OLD, order
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from deployer.analysis import Counts, Look
from deployer.engine import (
    WAY_BACK,
    AbortRequested,
    Action,
    Done,
    Event,
    Failed,
    Kind,
    Looked,
    Phase,
    Promote,
    PromoteRequested,
    Resumed,
    Retire,
    Rollout,
    Shift,
    Start,
    TakeLook,
    advance,
    begin_rollout,
    canary,
    pending,
    replay,
    switch,
)
from deployer.model import Slot

WEIGHTS = st.sampled_from([(100,), (10, 100), (10, 25, 50, 100), (50, 75, 100)])


@dataclass
class World:
    """What a target would look like after the actions so far."""

    weights: dict[Slot, int]
    ready: dict[Slot, bool]
    live: Slot | None
    retired: list[Slot] = field(default_factory=list)

    def do(self, action: Action) -> None:
        match action:
            case Start(slot):
                self.ready[slot] = True
            case Shift(slot, weight):
                self.weights = {slot: weight, slot.other: 100 - weight}
            case Promote(slot):
                self.live = slot
            case Retire(slot):
                self.retired.append(slot)
                self.ready[slot] = False


class Engine(RuleBasedStateMachine):
    """Actions succeed, fail, are done twice; people interfere; holders die."""

    state: Rollout
    world: World

    @initialize(
        weights=WEIGHTS,
        kind=st.sampled_from(list(Kind)),
        standby=st.sampled_from([0.0, 600.0]),
        instances=st.integers(1, 4),
    )
    def begin(self, weights: tuple[int, ...], kind: Kind, standby: float, instances: int) -> None:
        plan = (
            canary(instances=instances, weights=weights, hold_seconds=10.0)
            if kind is Kind.ROLLOUT
            else switch(instances=instances)
        )
        live = None if kind is Kind.INSTALL else OLD
        self.state = begin_rollout(order(kind=kind, live=live, plan=plan, standby_seconds=standby))
        slot = self.state.order.candidate_slot
        has_live = live is not None
        self.world = World(
            weights={slot: 0, slot.other: 100 if has_live else 0},
            ready={slot: False, slot.other: has_live},
            live=slot.other if has_live else None,
        )
        self.events: list[Event] = []
        self.at = 0.0

    def feed(self, event: Event) -> None:
        self.events.append(event)
        self.state, actions = advance(self.state, event)
        assert actions == pending(self.state)

    @precondition(lambda self: not self.state.over and self.state.phase is not Phase.WATCHING)
    @rule(twice=st.booleans(), seconds=st.floats(0.0, 100.0))
    def action_succeeds(self, twice: bool, seconds: float) -> None:
        (action,) = pending(self.state)
        for _ in range(2 if twice else 1):  # the holder died after the action and before the event
            self.world.do(action)
        self.at += seconds
        self.feed(Done(self.at, self.state.phase))

    @precondition(lambda self: not self.state.over and self.state.phase is not Phase.WATCHING)
    @rule(half_done=st.booleans())
    def action_fails(self, half_done: bool) -> None:
        (action,) = pending(self.state)
        if half_done and not isinstance(action, Promote):
            self.world.do(action)
        self.feed(Failed(self.at, self.state.phase, "it broke"))

    @precondition(lambda self: self.state.phase is Phase.WATCHING)
    @rule(
        requests=st.integers(0, 500),
        failed=st.floats(0.0, 1.0),
        healthy=st.booleans(),
        reachable=st.booleans(),
        seconds=st.floats(0.1, 30.0),
    )
    def look(
        self, requests: int, failed: float, healthy: bool, reachable: bool, seconds: float
    ) -> None:
        self.at += seconds
        counts = Counts(requests, int(requests * failed))
        self.feed(
            Looked(
                self.at,
                Look(
                    at=self.at,
                    candidate=counts,
                    live=Counts(requests),
                    candidate_healthy=healthy,
                    reachable=reachable,
                ),
            )
        )

    @rule()
    def person_aborts(self) -> None:
        before = self.state
        self.feed(AbortRequested(self.at, "ann", "stop"))
        forward = before.phase not in {*WAY_BACK, Phase.PROMOTING, Phase.TIDYING}
        if forward and not before.over and before.order.live is not None:
            # The old slot is ready: all traffic is on it one shift later, whatever the candidate is.
            assert self.state.phase is Phase.GUARDING
            after, actions = advance(self.state, Done(self.at, Phase.GUARDING))
            assert actions == (Shift(after.order.candidate_slot, 0),)

    @rule()
    def person_promotes(self) -> None:
        self.feed(PromoteRequested(self.at, "ann"))

    @rule(phase=st.sampled_from(list(Phase)))
    def echo_arrives(self, phase: Phase) -> None:
        before = self.state
        if phase is not before.phase:
            self.feed(Done(self.at, phase))
            assert self.state == before

    @rule()
    def holder_dies(self) -> None:
        self.feed(Resumed(self.at, "host:2:2"))

    @invariant()
    def weights_sum_to_a_hundred(self) -> None:
        if self.state.order.live is not None:
            assert sum(self.world.weights.values()) == 100

    @invariant()
    def no_traffic_goes_to_a_slot_that_is_not_ready_while_the_other_is(self) -> None:
        for slot, weight in self.world.weights.items():
            if weight:
                assert self.world.ready[slot] or not self.world.ready[slot.other]

    @invariant()
    def the_live_slot_is_kept_while_an_undo_could_need_it(self) -> None:
        old = self.state.live_slot
        if old in self.world.retired:
            assert self.world.live is not old

    @invariant()
    def only_the_ends_wait_for_nothing(self) -> None:
        assert (pending(self.state) == ()) == self.state.over

    @invariant()
    def only_this_service_is_spoken_of(self) -> None:
        for action in pending(self.state):
            release = getattr(action, "release", None)
            assert release in {None, NEW, OLD}

    def teardown(self) -> None:
        if not hasattr(self, "state"):
            return
        assert replay(self.state.order, self.events) == self.state
        for _ in range(300):  # left alone from here, with nothing failing, it comes to an end
            if self.state.over:
                break
            self.at += 61.0
            counts = Counts(1000)
            look = Look(at=self.at, candidate=counts, live=counts, candidate_healthy=True)
            watching = pending(self.state) == (TakeLook(),)
            self.feed(Looked(self.at, look) if watching else Done(self.at, self.state.phase))
        assert self.state.over


Engine.TestCase.settings = settings(
    max_examples=200,  # about 10,000 states in all, in some ten seconds
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestEngine = Engine.TestCase
