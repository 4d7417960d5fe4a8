"""The engine on its way back, example by example."""

from __future__ import annotations

import pytest
from engine.orders import HOOKS, NEW, OLD, all_of, failing, healthy, order, walk, walked

from deployer.engine import (
    AbortRequested,
    Call,
    Failed,
    HurryRequested,
    Kind,
    Phase,
    Promote,
    Retire,
    Rollout,
    Scale,
    Shift,
    Smoke,
    Wait,
    advance,
    begin_rollout,
    gradual,
    pending,
    rolling,
)
from deployer.model import Slot

FORWARD = (
    Phase.MIGRATING,
    Phase.STARTING,
    Phase.SMOKING,
    Phase.SHIFTING,
    Phase.WATCHING,
    Phase.PROMOTING,
    Phase.MONITORING,
)
UNDO = gradual(instances=2, live_instances=2, weights=(50, 25, 10), hold_seconds=60.0)


def aborted(phase: Phase = Phase.WATCHING, *, gradually: bool = False) -> Rollout:
    state = walked(phase, order(monitor_seconds=30.0))
    state, _ = advance(state, AbortRequested(35.0, "ann", "stop", gradually))
    return state


def test_a_failing_look_gives_all_traffic_back_in_one_step():
    """The verdict leads to: guard the old slot, all traffic to it, retire, smoke. Nothing between."""
    state = walked(Phase.WATCHING)
    state, _ = advance(state, healthy(34.0, requests=1))
    state, _ = advance(state, failing(35.0))
    state, actions = walk(state, until=Phase.ROLLED_BACK)

    assert actions == [
        Scale(Slot.BLUE, OLD, 2),
        Shift(Slot.GREEN, 0),
        Retire(Slot.GREEN),
        Smoke(Slot.BLUE, OLD),
    ]
    assert "failed" in str(state.cause)


def test_a_release_that_fails_after_promotion_is_live_no_longer():
    """The old slot is recorded as live again, between the traffic's way back and the retiring."""
    state = walked(Phase.MONITORING, order(monitor_seconds=30.0))
    state, _ = advance(state, failing(state.changed_at + 2.0))
    _, actions = walk(state, until=Phase.ROLLED_BACK)

    assert actions == [
        Scale(Slot.BLUE, OLD, 2),
        Shift(Slot.GREEN, 0),
        Promote(Slot.BLUE, OLD, 0.0),
        Retire(Slot.GREEN),
        Smoke(Slot.BLUE, OLD),
    ]


def test_the_way_back_of_a_rolling_release_fills_the_old_slot_first():
    """Live has been shrunk: it gets its instances again before it gets its load."""
    wanted = order(plan=rolling(instances=2, live_instances=2, hold_seconds=10.0))
    state, _ = advance(walked(Phase.WATCHING, wanted), AbortRequested(35.0, "ann", "stop"))
    _, actions = walk(state, until=Phase.ROLLED_BACK)

    assert actions[:2] == [Scale(Slot.BLUE, OLD, 2), Shift(Slot.GREEN, 0)]


@pytest.mark.parametrize(
    "phase", [p for p in FORWARD if p not in {Phase.WATCHING, Phase.MONITORING}]
)
def test_a_failed_action_on_the_way_forward_turns_back(phase: Phase):
    """Whatever fails ends with the old release serving, and says why."""
    state = walked(phase)
    state, _ = advance(state, Failed(50.0, phase, "never-ready: product@1.1.0 ended"))
    state, _ = walk(state, until=Phase.ROLLED_BACK)

    assert state.cause == "never-ready: product@1.1.0 ended"


@pytest.mark.parametrize("phase", FORWARD)
def test_an_abort_turns_back_from_anywhere_on_the_way_forward(phase: Phase):
    """An abort asks nothing of the candidate: the next action concerns the old slot only."""
    state = aborted(phase)

    assert pending(state) == (Scale(Slot.BLUE, OLD, 2),)
    assert state.cause == "stop (asked for by ann)"


@pytest.mark.parametrize("phase", [Phase.GUARDING, Phase.RETIRING, Phase.CONFIRMING])
def test_a_second_abort_changes_nothing(phase: Phase):
    """The rollout is on its way back already."""
    state, _ = walk(aborted(), until=phase)
    after, _ = advance(state, AbortRequested(40.0, "bob", "stop it"))

    assert after == state


def test_the_first_deployment_can_not_be_aborted_once_it_is_live():
    """There is nothing to go back to."""
    first = order(kind=Kind.INSTALL, live=None)
    state = walked(Phase.PROMOTING, first)

    assert advance(state, AbortRequested(9.0, "ann", "stop"))[0] == state


def test_a_gradual_abort_steps_down_through_the_weights_below():
    """From 50 %: 25, 10, nothing; each held; then as every way back."""
    state = walked(Phase.WATCHING)
    while state.weight < 50:
        state, _ = advance(state, healthy(state.changed_at + 11.0))
        state, _ = walk(state, until=Phase.WATCHING)
    state, _ = advance(state, AbortRequested(90.0, "ann", "slowly", gradual=True))
    _, actions = walk(state, until=Phase.ROLLED_BACK)

    assert [a.weight for a in all_of(actions, Shift)] == [25, 10, 0]  # type: ignore[union-attr]
    assert len(all_of(actions, Wait)) == 2
    assert actions[-2:] == [Retire(Slot.GREEN), Smoke(Slot.BLUE, OLD)]


def test_each_weight_of_a_gradual_way_back_is_held_for_its_time():
    """The wait is until a moment, so that a process that takes over does not begin it anew."""
    state, _ = walk(aborted(Phase.MONITORING, gradually=True), until=Phase.EASING)

    assert state.weight == 50
    assert pending(state) == (Wait(state.changed_at + 60.0),)


@pytest.mark.parametrize(
    "hurry", [HurryRequested(99.0, "ann"), AbortRequested(99.0, "ann", "at once")]
)
def test_a_gradual_way_back_can_be_hurried(hurry: HurryRequested | AbortRequested):
    """All that is left goes at once."""
    state, _ = walk(aborted(Phase.MONITORING, gradually=True), until=Phase.EASING)
    state, actions = advance(state, hurry)

    assert actions == (Shift(Slot.GREEN, 0),)


def test_a_way_back_that_is_hurried_before_its_first_step_has_only_one():
    """The wish is not lost when it comes while the old slot is being filled."""
    state, _ = advance(aborted(Phase.MONITORING, gradually=True), HurryRequested(36.0, "ann"))
    _, actions = walk(state, until=Phase.ROLLED_BACK)

    assert [a.weight for a in all_of(actions, Shift)] == [0]  # type: ignore[union-attr]


def test_a_gradual_rollback_after_promotion_rises_and_waits():
    """50, 75, 90, 100 for the release that comes back; three holds of a minute: below five."""
    undo = order(kind=Kind.ROLLBACK, plan=UNDO, standby_seconds=0.0)
    _, actions = walk(begin_rollout(undo), until=Phase.PROMOTED)

    assert [a.weight for a in all_of(actions, Shift)] == [50, 75, 90, 100]  # type: ignore[union-attr]
    assert len(all_of(actions, Wait)) == 3


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.SHIFTING, Phase.HOLDING])
def test_a_gradual_rollback_after_promotion_can_be_hurried(phase: Phase):
    """From then on nothing is held, and no weight is forgotten."""
    undo = order(kind=Kind.ROLLBACK, plan=UNDO, standby_seconds=0.0)
    state, _ = advance(walked(phase, undo), HurryRequested(30.0, "ann"))
    _, actions = walk(state, until=Phase.PROMOTED)

    assert all_of(actions, Wait) == []
    assert all_of(actions, Shift)[-1] == Shift(Slot.GREEN, 100)


def test_the_way_back_is_tried_again_until_it_works():
    """A router that does not answer for a while does not end a rollback."""
    state, _ = walk(aborted(), until=Phase.RETURNING)
    for _ in range(19):
        state, actions = advance(state, Failed(36.0, state.phase, "route-not-taken"))
        assert actions == (Shift(Slot.GREEN, 0),)
    state, _ = walk(state, until=Phase.ROLLED_BACK)

    assert state.over


def test_the_traffic_goes_back_though_the_old_slot_is_not_whole():
    """After five tries of the guard: a part of the old slot is better than a bad release."""
    state = aborted()
    for _ in range(5):
        assert pending(state) == (Scale(Slot.BLUE, OLD, 2),)
        state, actions = advance(state, Failed(36.0, state.phase, "never-ready: product@1.0.0"))

    assert actions == (Shift(Slot.GREEN, 0),)
    assert state.cause == "stop (asked for by ann)"


def test_a_way_back_that_never_works_ends_failed():
    """After twenty tries a person has to look; no further action is asked for, and both say why."""
    state, _ = walk(aborted(), until=Phase.RETURNING)
    for _ in range(20):
        state, actions = advance(state, Failed(36.0, state.phase, "route-not-taken"))

    assert state.phase is Phase.FAILED
    assert actions == ()
    assert state.cause == "stop (asked for by ann); then route-not-taken"


def test_a_candidate_that_will_not_stop_is_rolled_back_all_the_same():
    """Its traffic is gone: the old release is smoke-checked, and the rollout is over."""
    state, _ = walk(aborted(), until=Phase.RETIRING)
    for _ in range(20):
        state, _ = advance(state, Failed(40.0, state.phase, "it hangs"))

    assert state.phase is Phase.CONFIRMING


def test_hooks_after_a_rollback_are_called_at_its_end_and_can_not_undo_it():
    """A failing one is told in the ledger, and the traffic is where it should be."""
    state = walked(Phase.WATCHING, order(hooks=HOOKS[-1:]))
    state, _ = advance(state, failing(state.changed_at + 2.0))
    state, actions = walk(state, until=Phase.REPORTING)
    assert pending(state) == (Call(HOOKS[-1]),)
    assert actions[-1] == Smoke(Slot.BLUE, OLD)
    state, _ = advance(state, Failed(60.0, Phase.REPORTING, "hook-failed"))

    assert state.phase is Phase.ROLLED_BACK
    assert "hook-failed" not in str(state.cause)


def test_a_hook_after_a_rollback_that_followed_promotion_can_not_undo_it_either():
    """The same point, when the rollback is a rollout of its own."""
    undo = order(kind=Kind.ROLLBACK, plan=UNDO, standby_seconds=0.0, hooks=HOOKS[-1:])
    state = walked(Phase.CALLING, undo)
    state, actions = advance(state, Failed(60.0, Phase.CALLING, "hook-failed"))

    assert actions == (Retire(Slot.BLUE),)
    assert state.order.candidate == NEW
