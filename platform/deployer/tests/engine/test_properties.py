"""The engine under any order of events: what must never happen, and what must always.

A model of the world stands for the target: it does what an action says, and refuses what the real
one refuses. How many different states were reached is counted; `ENGINE_EXAMPLES` sets how many runs.
Fewer than in CI are for mutation testing, which runs them often: they promise no number.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

import pytest
from engine.orders import HOOKS, NEW, OLD, order
from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deployer.analysis import Counts, Look
from deployer.engine import (
    LOOKING,
    WAY_BACK,
    AbortRequested,
    Action,
    ContinueRequested,
    Done,
    Event,
    Failed,
    HurryRequested,
    Kind,
    Looked,
    PauseRequested,
    Phase,
    Plan,
    Promote,
    PromoteRequested,
    Resumed,
    Retire,
    Rollout,
    Scale,
    Shift,
    TakeLook,
    advance,
    begin_rollout,
    blue_green,
    canary,
    gradual,
    pending,
    replay,
    rolling,
)
from deployer.model import Slot

CI_EXAMPLES = 1500  # half a minute
EXAMPLES = int(os.environ.get("ENGINE_EXAMPLES", CI_EXAMPLES))
LEAST_STATES = 100_000 if EXAMPLES > CI_EXAMPLES else 10_000 if EXAMPLES == CI_EXAMPLES else 1
# A small run is told from its result only: no time for the smallest example.
PHASES = tuple(HypothesisPhase) if EXAMPLES >= CI_EXAMPLES else (HypothesisPhase.generate,)

# One in four: else hardly any rollout would see its second step.
MOODS = st.sampled_from(["patient", "patient", "patient", "hasty"])

reached: set[int] = set()


def plan_of(strategy: str, kind: Kind, instances: int, *, gate: bool) -> Plan:
    counts = {"instances": instances, "live_instances": 0 if kind is Kind.INSTALL else 2}
    if kind is Kind.ROLLBACK and strategy == "canary":
        return gradual(**counts, weights=(50, 25), hold_seconds=10.0)
    if kind is not Kind.ROLLOUT or strategy == "blue-green":
        return blue_green(**counts)
    if strategy == "rolling":
        return rolling(**counts, hold_seconds=10.0)
    gates = (25,) if gate else ()
    return canary(**counts, weights=(10, 25, 50, 100), hold_seconds=10.0, gates=gates)


@dataclass
class World:
    """What a target would look like after the actions so far; instances are ready ones."""

    weights: dict[Slot, int]
    instances: dict[Slot, int]
    live: Slot | None
    retired: list[Slot] = field(default_factory=list)

    def refuses(self, action: Action) -> bool:
        """As the real one: traffic for a slot with nothing ready while the other has something."""
        if not isinstance(action, Shift):
            return False
        shares = {action.candidate_slot: action.weight}
        shares[action.candidate_slot.other] = 100 - action.weight
        return any(
            share and not self.instances[slot] and self.instances[slot.other]
            for slot, share in shares.items()
        )

    def do(self, action: Action) -> None:
        match action:
            case Scale(slot, _, instances):
                self.instances[slot] = instances
            case Shift(slot, weight):
                self.weights = {slot: weight, slot.other: 100 - weight}
            case Promote(slot):
                self.live = slot
            case Retire(slot):
                self.retired.append(slot)
                self.instances[slot] = 0


class Engine(RuleBasedStateMachine):
    """Actions succeed, fail, are done twice; people interfere; holders die."""

    state: Rollout
    world: World

    @initialize(
        strategy=st.sampled_from(["canary", "blue-green", "rolling"]),
        # Not a flag: it moves no traffic between slots, which is what the invariants are about.
        kind=st.sampled_from([*[Kind.ROLLOUT] * 3, Kind.ROLLBACK, Kind.INSTALL]),
        standby=st.sampled_from([0.0, 600.0]),
        monitor=st.sampled_from([0.0, 20.0]),
        instances=st.integers(1, 4),
        hooks=st.booleans(),
        gate=st.booleans(),
    )
    def begin(
        self,
        strategy: str,
        kind: Kind,
        standby: float,
        monitor: float,
        instances: int,
        hooks: bool,
        gate: bool,
    ) -> None:
        live = None if kind is Kind.INSTALL else OLD
        wanted = order(
            kind=kind,
            live=live,
            plan=plan_of(strategy, kind, instances, gate=gate),
            standby_seconds=standby,
            monitor_seconds=monitor if kind is Kind.ROLLOUT else 0.0,
            hooks=HOOKS if hooks else (),
        )
        self.state = begin_rollout(wanted)
        slot = self.state.order.candidate_slot
        self.world = World(
            weights={slot: 0, slot.other: 100 if live else 0},
            instances={slot: 0, slot.other: 2 if live else 0},
            live=slot.other if live else None,
        )
        self.events: list[Event] = []
        self.at = 0.0

    def feed(self, event: Event) -> None:
        self.events.append(event)
        self.state, actions = advance(self.state, event)
        assert actions == pending(self.state)
        reached.add(hash(self.state))

    def perform(self) -> None:
        (action,) = pending(self.state)
        if self.world.refuses(action):
            self.feed(Failed(self.at, self.state.phase, "slot-not-ready"))
        else:
            self.world.do(action)
            self.feed(Done(self.at, self.state.phase))

    @precondition(lambda self: not self.state.over and self.state.phase not in LOOKING)
    @rule(twice=st.booleans(), seconds=st.floats(0.0, 100.0))
    def action_succeeds(self, twice: bool, seconds: float) -> None:
        (action,) = pending(self.state)
        if twice and not self.world.refuses(action):
            self.world.do(action)  # the holder died after the action and before the event
        self.at += seconds
        self.perform()

    @precondition(lambda self: not self.state.over and self.state.phase not in LOOKING)
    @rule(half_done=st.booleans(), mood=MOODS)
    def action_fails(self, half_done: bool, mood: str) -> None:
        if mood == "patient" and self.state.phase not in WAY_BACK:
            return
        (action,) = pending(self.state)
        if half_done and not isinstance(action, Promote) and not self.world.refuses(action):
            self.world.do(action)
        self.feed(Failed(self.at, self.state.phase, "it broke"))

    @precondition(lambda self: self.state.phase in WAY_BACK)
    @rule(times=st.integers(2, 30))
    def way_back_goes_on_failing(self, times: int) -> None:
        for _ in range(times):
            if self.state.phase in WAY_BACK:
                self.feed(Failed(self.at, self.state.phase, "it stays broken"))

    @precondition(lambda self: self.state.phase in LOOKING)
    @rule(
        requests=st.integers(0, 500),
        failed=st.floats(0.0, 1.0),
        live_failed=st.floats(0.0, 1.0),
        healthy=st.booleans(),
        reachable=st.booleans(),
        seconds=st.floats(0.1, 30.0),
    )
    def look(
        self,
        requests: int,
        failed: float,
        live_failed: float,
        healthy: bool,
        reachable: bool,
        seconds: float,
    ) -> None:
        self.at += seconds
        self.feed(
            Looked(
                self.at,
                Look(
                    at=self.at,
                    candidate=Counts(requests, int(requests * failed)),
                    live=Counts(requests, int(requests * live_failed)),
                    candidate_healthy=healthy,
                    reachable=reachable,
                ),
            )
        )

    @precondition(lambda self: not self.state.over)
    @rule(times=st.lists(st.floats(0.5, 30.0), min_size=5, max_size=40))
    def all_is_well_for_a_while(self, times: list[float]) -> None:
        for seconds in times:
            if self.state.over:
                return
            self.at += seconds
            if self.state.phase in LOOKING:
                counts = Counts(int(20 * seconds))
                self.feed(Looked(self.at, Look(self.at, counts, counts, candidate_healthy=True)))
            else:
                self.perform()

    @precondition(lambda self: not self.state.over)
    @rule(gradually=st.booleans(), mood=MOODS)
    def person_aborts(self, gradually: bool, mood: str) -> None:
        if mood == "patient":
            return
        before = self.state
        self.feed(AbortRequested(self.at, "ann", "stop", gradually))
        turned = before.phase not in WAY_BACK and self.state.phase in WAY_BACK
        if turned and before.order.live is not None:
            # The old slot is ready: all traffic is on it one shift later, whatever the candidate is.
            assert self.state.phase is Phase.GUARDING
            after, actions = advance(self.state, Done(self.at, Phase.GUARDING))
            (shift,) = actions
            assert isinstance(shift, Shift)
            assert gradually or shift == Shift(after.order.candidate_slot, 0)
            assert shift.weight <= before.weight

    @precondition(lambda self: not self.state.over)
    @rule()
    def person_promotes(self) -> None:
        self.feed(PromoteRequested(self.at, "ann"))

    @precondition(lambda self: not self.state.over)
    @rule(event=st.sampled_from([PauseRequested, ContinueRequested, HurryRequested]))
    def person_wishes(
        self, event: type[PauseRequested | ContinueRequested | HurryRequested]
    ) -> None:
        self.feed(event(self.at, "ann"))

    @rule(phase=st.sampled_from(list(Phase)))
    def echo_arrives(self, phase: Phase) -> None:
        before = self.state
        if phase is not before.phase:
            self.feed(Done(self.at, phase))
            assert self.state == before

    @precondition(lambda self: not self.state.over)
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
                assert self.world.instances[slot] or not self.world.instances[slot.other]

    @invariant()
    def nothing_that_an_undo_could_need_is_removed(self) -> None:
        """Live's slot is retired only once another is live, and with a standby not at all."""
        old, wanted = self.state.live_slot, self.state.order
        if old in self.world.retired:
            assert self.world.live is not old
            assert wanted.kind is not Kind.ROLLOUT or wanted.standby_seconds == 0

    @invariant()
    def what_is_rolled_back_left_the_old_release_live_with_all_traffic(self) -> None:
        if self.state.phase is Phase.ROLLED_BACK:
            assert self.world.live is self.state.live_slot
            assert self.world.weights[self.state.live_slot] == 100

    @invariant()
    def what_is_promoted_has_all_traffic(self) -> None:
        if self.state.phase is Phase.PROMOTED:
            assert self.world.live is self.state.order.candidate_slot
            assert self.world.weights[self.state.order.candidate_slot] == 100

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
        self.feed(ContinueRequested(self.at, "ann"))
        for _ in range(300):  # left alone from here, with nothing failing, it comes to an end
            if self.state.over:
                break
            self.at += 61.0
            if pending(self.state) != (TakeLook(),):
                self.perform()
                continue
            counts = Counts(1000)
            self.feed(Looked(self.at, Look(self.at, counts, counts, candidate_healthy=True)))
            if self.state.verdict is not None and self.state.verdict.kind == "hold":
                self.feed(PromoteRequested(self.at, "ann"))  # the person whom a hold waits for
        assert self.state.over


def test_no_order_of_events_breaks_an_invariant():
    """Thousands of different states, and each of them as it must be."""
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            phases=PHASES,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

    print(json.dumps({"engine_states": len(reached)}))  # noqa: T201  # the campaign reads it
    assert len(reached) >= LEAST_STATES


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("no_traffic_goes_to_a_slot_that_is_not_ready_while_the_other_is", Shift),
        ("nothing_that_an_undo_could_need_is_removed", Retire),
    ],
)
def test_a_world_that_does_not_do_as_told_is_noticed(
    monkeypatch: pytest.MonkeyPatch, broken: str, complaint: type[Action]
):
    """The control of this test: a target that shifts to the wrong slot, or retires the wrong one."""
    real = World.do

    def wrong(world: World, action: Action) -> None:
        if isinstance(action, complaint):
            if isinstance(action, Shift):
                world.weights = {action.candidate_slot: 100, action.candidate_slot.other: 0}
                world.instances[action.candidate_slot] = 0
            else:
                world.retired.append(world.live or Slot.BLUE)
        else:
            real(world, action)

    monkeypatch.setattr(World, "do", wrong)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Engine,
            settings=settings(
                max_examples=100,
                deadline=None,
                database=None,
                phases=[HypothesisPhase.generate],  # that it fails is enough
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert hasattr(Engine, broken)
