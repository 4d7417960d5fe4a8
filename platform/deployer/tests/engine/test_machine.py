"""The engine, example by example: forward, back, and what it ignores."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine.orders import CANARY, NEW, OLD, order

from deployer.analysis import Counts, Look
from deployer.engine import (
    AbortRequested,
    Action,
    Done,
    Event,
    Failed,
    Kind,
    Looked,
    Migrate,
    Phase,
    Promote,
    PromoteRequested,
    Resumed,
    Retire,
    Rollout,
    Shift,
    Smoke,
    Start,
    TakeLook,
    advance,
    begin_rollout,
    pending,
    replay,
    switch,
)
from deployer.model import Slot


def healthy(at: float, requests: int = 400) -> Looked:
    return Looked(at, Look(at=at, candidate=Counts(requests), live=Counts(requests)))


def failing(at: float, failed: int = 200) -> Looked:
    return Looked(at, Look(at=at, candidate=Counts(400, failed), live=Counts(400)))


def walk(state: Rollout, *, until: Phase, look: object = healthy) -> tuple[Rollout, list[Action]]:
    """Let every action succeed until a phase is reached; return the actions on the way."""
    at, done = state.changed_at, []
    while state.phase is not until:
        (action,) = pending(state)
        done.append(action)
        at += 11.0
        event: Event = look(at) if isinstance(action, TakeLook) else Done(at, state.phase)
        state, _ = advance(state, event)
        assert len(done) < 200
    return state, done


def test_a_healthy_canary_walks_every_weight_and_is_promoted():
    """Migrate, start, smoke, then each weight with looks, then promotion; the old slot stays."""
    state, actions = walk(begin_rollout(order()), until=Phase.PROMOTED)

    assert actions[:3] == [Migrate(NEW), Start(Slot.GREEN, NEW, 2), Smoke(Slot.GREEN, NEW)]
    assert [a.weight for a in actions if isinstance(a, Shift)] == [10, 25, 50, 100]
    assert actions[-1] == Promote(Slot.GREEN, NEW, 600.0)
    assert not any(isinstance(action, Retire) for action in actions)
    assert state.cause is None


def test_no_traffic_comes_before_the_smoke_check():
    """The first weight is set only after the candidate answered at its own address."""
    _, actions = walk(begin_rollout(order()), until=Phase.PROMOTED)
    first_shift = next(i for i, action in enumerate(actions) if isinstance(action, Shift))

    assert Smoke(Slot.GREEN, NEW) in actions[:first_shift]


def test_a_failing_look_gives_all_traffic_back_in_one_step():
    """The verdict leads to: guard the old slot, all traffic to it, retire, smoke. Nothing between."""
    state, _ = walk(begin_rollout(order()), until=Phase.WATCHING)
    state, _ = advance(state, healthy(34.0, requests=1))
    state, _ = advance(state, failing(35.0))
    state, actions = walk(state, until=Phase.ROLLED_BACK)

    assert actions == [
        Start(Slot.BLUE, OLD, 2),
        Shift(Slot.GREEN, 0),
        Retire(Slot.GREEN),
        Smoke(Slot.BLUE, OLD),
    ]
    assert "failed" in str(state.cause)


@pytest.mark.parametrize("phase", [Phase.MIGRATING, Phase.STARTING, Phase.SMOKING, Phase.SHIFTING])
def test_a_failed_action_on_the_way_forward_turns_back(phase: Phase):
    """Whatever fails before promotion ends with the old release serving, and says why."""
    state, _ = walk(begin_rollout(order()), until=phase)
    state, _ = advance(state, Failed(50.0, phase, "never-ready: product@1.1.0 ended"))
    state, _ = walk(state, until=Phase.ROLLED_BACK)

    assert state.cause == "never-ready: product@1.1.0 ended"


@pytest.mark.parametrize(
    "phase", [Phase.MIGRATING, Phase.STARTING, Phase.SMOKING, Phase.SHIFTING, Phase.WATCHING]
)
def test_an_abort_turns_back_from_anywhere_on_the_way_forward(phase: Phase):
    """An abort asks nothing of the candidate: the next action concerns the old slot only."""
    state, _ = walk(begin_rollout(order()), until=phase)
    state, actions = advance(state, AbortRequested(50.0, "ann", "wrong button"))

    assert actions == (Start(Slot.BLUE, OLD, 2),)
    assert state.cause == "wrong button (asked for by ann)"


def test_an_abort_after_promotion_began_is_too_late():
    """Promotion is one write; an undo is a rollback of its own."""
    state, _ = walk(begin_rollout(order()), until=Phase.PROMOTING)
    after, actions = advance(state, AbortRequested(99.0, "ann", "late"))

    assert after == state
    assert actions == (Promote(Slot.GREEN, NEW, 600.0),)


def test_an_echo_of_an_earlier_action_changes_nothing():
    """A Done that names another phase than the pending one is ignored."""
    state, _ = walk(begin_rollout(order()), until=Phase.SMOKING)
    after, _ = advance(state, Done(50.0, Phase.STARTING))

    assert after == state


def test_the_way_back_is_tried_again_until_it_works():
    """A router that does not answer for a while does not end a rollback."""
    state, _ = walk(begin_rollout(order()), until=Phase.WATCHING)
    state, _ = advance(state, AbortRequested(35.0, "ann", "stop"))
    for _ in range(10):
        state, actions = advance(state, Failed(36.0, state.phase, "route-not-taken"))
        assert actions == (Start(Slot.BLUE, OLD, 2),)
    state, _ = walk(state, until=Phase.ROLLED_BACK)

    assert state.over


def test_a_way_back_that_never_works_ends_failed_with_the_traffic_where_it_is():
    """After twenty tries a person has to look; no further action is asked for."""
    state, _ = walk(begin_rollout(order()), until=Phase.WATCHING)
    state, _ = advance(state, AbortRequested(35.0, "ann", "stop"))
    for _ in range(20):
        state, actions = advance(state, Failed(36.0, state.phase, "never-ready: product@1.0.0"))

    assert state.phase is Phase.FAILED
    assert actions == ()
    assert state.weight == 10


def test_resuming_gives_the_way_back_all_its_tries_again():
    """Tries of a holder that died do not count against the next one."""
    state, _ = walk(begin_rollout(order()), until=Phase.WATCHING)
    state, _ = advance(state, AbortRequested(35.0, "ann", "stop"))
    state, _ = advance(state, Failed(36.0, state.phase, "database-down"))
    state, _ = advance(state, Resumed(40.0, "host:1:1"))

    assert state.attempts == 0


def test_a_first_deployment_that_fails_leaves_nothing():
    """Without a live release there is nowhere to go back to: the candidate is retired."""
    first = order(kind=Kind.INSTALL, live=None, plan=switch(instances=2))
    state, _ = walk(begin_rollout(first), until=Phase.SMOKING)
    state, actions = advance(state, Failed(5.0, Phase.SMOKING, "smoke-failed"))

    assert actions == (Retire(Slot.BLUE),)
    state, _ = walk(state, until=Phase.FAILED)
    assert state.cause == "smoke-failed"


def test_a_rollback_after_promotion_is_one_shift_and_retires_the_bad_release():
    """No migration, no waiting: ready, smoke, all traffic, then the other slot is emptied."""
    undo = order(kind=Kind.ROLLBACK, plan=switch(instances=2), standby_seconds=0.0)
    _, actions = walk(begin_rollout(undo), until=Phase.PROMOTED)

    assert actions == [
        Start(Slot.GREEN, NEW, 2),
        Smoke(Slot.GREEN, NEW),
        Start(Slot.GREEN, NEW, 2),
        Shift(Slot.GREEN, 100),
        Promote(Slot.GREEN, NEW, 0.0),
        Retire(Slot.BLUE),
    ]


def test_without_standby_the_old_slot_is_retired_after_promotion():
    """Standby 0 means that the old slot goes at once, but only after promotion."""
    state, actions = walk(begin_rollout(order(standby_seconds=0.0)), until=Phase.PROMOTED)

    assert actions[-2:] == [Promote(Slot.GREEN, NEW, 0.0), Retire(Slot.BLUE)]
    assert state.cause is None


def test_an_old_slot_that_will_not_stop_does_not_undo_a_promotion():
    """Promoted is promoted; what is left over is told."""
    state, _ = walk(begin_rollout(order(standby_seconds=0.0)), until=Phase.TIDYING)
    state, _ = advance(state, Failed(99.0, Phase.TIDYING, "it hangs"))

    assert state.phase is Phase.PROMOTED
    assert state.cause == "it hangs"


def test_a_person_may_promote_a_step_that_waits():
    """Promote goes on to the next weight without a verdict."""
    state, _ = walk(begin_rollout(order()), until=Phase.WATCHING)
    after, actions = advance(state, PromoteRequested(40.0, "ann"))

    assert after.step_index == state.step_index + 1
    assert actions == (Start(Slot.GREEN, NEW, 2),)


def test_a_replayed_ledger_leads_to_the_same_state():
    """The state is a function of the order and its events."""
    state, events, at = begin_rollout(order()), [], 0.0
    first = state
    while not state.over:
        at += 11.0
        event = healthy(at) if state.phase is Phase.WATCHING else Done(at, state.phase)
        events.append(event)
        state, _ = advance(state, event)

    assert replay(first.order, events) == state
    assert state.step == CANARY[-1]
    assert replace(state, phase=Phase.FAILED).over
