"""The engine on its way forward, example by example, and what it ignores."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine.orders import (
    CANARY,
    HOOKS,
    NEW,
    OLD,
    all_of,
    at_step,
    failing,
    healthy,
    order,
    walk,
    walked,
)

from deployer.analysis import Counts, Look, Rule, VerdictKind
from deployer.engine import (
    AbortRequested,
    Call,
    ContinueRequested,
    Done,
    Failed,
    Kind,
    Looked,
    Migrate,
    PauseRequested,
    Phase,
    Point,
    Promote,
    PromoteRequested,
    Resumed,
    Retire,
    Scale,
    Shift,
    Smoke,
    TakeLook,
    advance,
    begin_rollout,
    blue_green,
    canary,
    pending,
    replay,
    rolling,
)
from deployer.model import Slot

SWITCH = blue_green(instances=2, live_instances=2)
GATED = canary(instances=2, live_instances=2, weights=(10, 100), hold_seconds=10.0, gates=(10,))


def test_a_healthy_canary_walks_every_weight_and_is_promoted():
    """Migrate, start, smoke, then each weight with looks, then promotion; the old slot stays."""
    state, actions = walk(begin_rollout(order()), until=Phase.PROMOTED)

    assert actions[:3] == [Migrate(NEW), Scale(Slot.GREEN, NEW, 2), Smoke(Slot.GREEN, NEW)]
    assert [a.weight for a in all_of(actions, Shift)] == [10, 25, 50, 100]
    assert actions[-1] == Promote(Slot.GREEN, NEW, 600.0)
    assert all_of(actions, Retire) == []
    assert state.cause is None


def test_no_traffic_comes_before_the_smoke_check():
    """The first weight is set only after the candidate answered at its own address."""
    _, actions = walk(begin_rollout(order()), until=Phase.PROMOTED)
    first_shift = next(i for i, action in enumerate(actions) if isinstance(action, Shift))

    assert Smoke(Slot.GREEN, NEW) in actions[:first_shift]


def test_blue_green_checks_at_its_own_address_then_moves_everything_once():
    """Between the smoke check and all traffic there is one shift, and looks only after it."""
    wanted = order(plan=SWITCH, monitor_seconds=20.0)
    _, actions = walk(begin_rollout(wanted), until=Phase.MONITORING)

    assert actions == [
        Migrate(NEW),
        Scale(Slot.GREEN, NEW, 2),
        Smoke(Slot.GREEN, NEW),
        Scale(Slot.GREEN, NEW, 2),
        Shift(Slot.GREEN, 100),
        Promote(Slot.GREEN, NEW, 620.0),
    ]


def test_rolling_starts_one_weighs_it_and_stops_one():
    """Each new instance is smoke-checked before it gets its share, and live shrinks after that."""
    wanted = order(plan=rolling(instances=2, live_instances=2, hold_seconds=10.0))
    _, actions = walk(begin_rollout(wanted), until=Phase.PROMOTED)

    assert [a for a in actions if isinstance(a, Scale | Smoke | Shift)] == [
        Scale(Slot.GREEN, NEW, 1),
        Smoke(Slot.GREEN, NEW),
        Shift(Slot.GREEN, 50),
        Scale(Slot.BLUE, OLD, 1),
        Scale(Slot.GREEN, NEW, 2),
        Smoke(Slot.GREEN, NEW),
        Shift(Slot.GREEN, 100),
        Scale(Slot.BLUE, OLD, 0),
    ]


def test_after_promotion_the_release_is_still_watched():
    """The last hold is over only when enough requests were seen after promotion too."""
    state = walked(Phase.MONITORING, order(monitor_seconds=30.0))
    early, _ = advance(state, healthy(state.changed_at + 20.0))
    late, _ = advance(early, healthy(state.changed_at + 31.0))

    assert early.phase is Phase.MONITORING
    assert late.phase is Phase.PROMOTED


def test_a_broken_live_release_hurries_the_steps_and_not_the_check_after_promotion():
    """Beside it every second counts; once it serves nobody there is nothing to hurry for."""

    def broken_live(at: float) -> Looked:
        counts = Counts(400)
        live = Counts(400, 200) if state.phase is Phase.WATCHING else Counts()
        return Looked(at, Look(at=at, candidate=counts, live=live))

    wanted = order(
        plan=canary(instances=2, live_instances=2, weights=(10, 50, 100), hold_seconds=900.0),
        monitor_seconds=900.0,
    )
    state, _ = walk(begin_rollout(wanted), until=Phase.WATCHING)
    state, _ = walk(state, until=Phase.MONITORING, look=broken_live)
    promoted_at = state.changed_at
    state, _ = advance(state, broken_live(promoted_at + 899.0))
    after, _ = advance(state, broken_live(promoted_at + 900.0))

    assert promoted_at < 900.0
    assert state.phase is Phase.MONITORING
    assert after.phase is Phase.PROMOTED


def test_standby_begins_when_the_check_after_promotion_ends():
    """Undo must not get cold while the release is still on probation."""
    state = walked(Phase.PROMOTING, order(monitor_seconds=900.0, standby_seconds=1800.0))

    assert pending(state) == (Promote(Slot.GREEN, NEW, 2700.0),)


def test_a_person_may_promote_a_step_that_waits():
    """Promote goes on to the next weight without a verdict."""
    state = walked(Phase.WATCHING)
    after, actions = advance(state, PromoteRequested(40.0, "ann"))

    assert after.step_index == state.step_index + 1
    assert actions == (Scale(Slot.GREEN, NEW, 2),)


def test_a_person_may_end_the_check_after_promotion():
    """The same word, at the last place where something waits."""
    state = walked(Phase.MONITORING, order(monitor_seconds=900.0))
    after, _ = advance(state, PromoteRequested(99.0, "ann"))

    assert after.phase is Phase.PROMOTED


def test_a_gate_waits_for_a_person_though_the_step_has_passed():
    """The verdict becomes a hold, looks go on, and promote opens the gate."""
    state = walked(Phase.WATCHING, order(plan=GATED))
    held, _ = advance(state, healthy(state.changed_at + 11.0))
    assert held.verdict is not None
    opened, _ = advance(held, PromoteRequested(90.0, "ann"))

    assert (held.phase, held.verdict.kind, held.verdict.rule) == (
        Phase.WATCHING,
        VerdictKind.HOLD,
        Rule.GATE,
    )
    assert "a person lets it go on" in held.verdict.reason
    assert opened.step_index == state.step_index + 1


def test_a_release_that_fails_at_a_gate_turns_back():
    """Waiting for a person is no reason to keep a bad release."""
    state = walked(Phase.WATCHING, order(plan=GATED))
    held, _ = advance(state, healthy(state.changed_at + 11.0))
    after, _ = advance(held, failing(state.changed_at + 12.0))

    assert after.phase is Phase.GUARDING


def test_a_paused_rollout_stays_until_it_is_let_on():
    """What would pass is held; after `continue` the next look passes."""
    state, _ = advance(walked(Phase.WATCHING), PauseRequested(30.0, "ann"))
    held, _ = advance(state, healthy(state.changed_at + 11.0))
    assert held.verdict is not None
    on, _ = advance(held, ContinueRequested(60.0, "ann"))
    passed, _ = advance(on, healthy(state.changed_at + 13.0))

    assert (held.phase, held.verdict.rule) == (Phase.WATCHING, Rule.PAUSED)
    assert passed.step_index == state.step_index + 1


@pytest.mark.parametrize("kind", [Kind.INSTALL, Kind.ROLLBACK])
def test_only_a_rollout_can_be_paused(kind: Kind):
    """A first deployment has nobody to go on serving, and a way back must not stand still."""
    live = None if kind is Kind.INSTALL else OLD
    state = begin_rollout(order(kind=kind, live=live, plan=SWITCH))

    assert advance(state, PauseRequested(30.0, "ann"))[0] == state


def test_a_promoted_pause_is_over():
    """Who lets the step past does not want the next one paused."""
    state, _ = advance(walked(Phase.WATCHING), PauseRequested(30.0, "ann"))
    state, _ = advance(state, PromoteRequested(31.0, "ann"))

    assert not state.paused


def test_hooks_are_called_at_their_points_in_this_order():
    """Before anything, before traffic, after each step, after promotion; not after a rollback."""
    wanted = order(hooks=HOOKS, monitor_seconds=10.0)
    _, actions = walk(begin_rollout(wanted), until=Phase.PROMOTED)
    points = [action.hook.point for action in actions if isinstance(action, Call)]
    first_shift = actions.index(Shift(Slot.GREEN, 10))

    assert points == [
        Point.BEFORE_ROLLOUT,
        Point.BEFORE_TRAFFIC,
        *[Point.AFTER_STEP] * 3,
        Point.AFTER_PROMOTION,
    ]
    assert actions[0] == Call(HOOKS[0])
    assert actions.index(Smoke(Slot.GREEN, NEW)) < actions.index(Call(HOOKS[1])) < first_shift


def test_several_hooks_of_a_point_are_called_one_after_the_other():
    """In the order they are declared, each once."""
    twice = (HOOKS[1], replace(HOOKS[1], command=("./second",)))
    _, actions = walk(begin_rollout(order(hooks=twice)), until=Phase.SHIFTING)

    assert [a.hook for a in all_of(actions, Call)] == list(twice)  # type: ignore[union-attr]


@pytest.mark.parametrize("point", [Point.BEFORE_ROLLOUT, Point.BEFORE_TRAFFIC, Point.AFTER_STEP])
def test_a_hook_that_fails_turns_the_rollout_back(point: Point):
    """The service's own check has the last word."""
    state = begin_rollout(order(hooks=tuple(hook for hook in HOOKS if hook.point is point)))
    state, _ = walk(state, until=Phase.CALLING) if state.phase is not Phase.CALLING else (state, [])
    state, _ = advance(state, Failed(50.0, Phase.CALLING, "hook-failed: it said no"))

    assert state.phase is Phase.GUARDING
    assert state.cause == "hook-failed: it said no"


def test_a_rollback_after_promotion_is_one_shift_and_retires_the_bad_release():
    """No migration, no waiting: ready, smoke, all traffic, smoke, then the other slot is emptied."""
    undo = order(kind=Kind.ROLLBACK, plan=SWITCH, standby_seconds=0.0)
    _, actions = walk(begin_rollout(undo), until=Phase.PROMOTED)

    assert actions == [
        Scale(Slot.GREEN, NEW, 2),
        Smoke(Slot.GREEN, NEW),
        Scale(Slot.GREEN, NEW, 2),
        Shift(Slot.GREEN, 100),
        Promote(Slot.GREEN, NEW, 0.0),
        Smoke(Slot.GREEN, NEW),
        Retire(Slot.BLUE),
    ]


def test_a_rollback_whose_last_smoke_check_fails_keeps_both_slots():
    """After twenty tries a person has to look, and nothing that could help them is gone."""
    undo = order(kind=Kind.ROLLBACK, plan=SWITCH, standby_seconds=0.0)
    state = walked(Phase.VERIFYING, undo)
    for _ in range(20):
        assert pending(state) == (Smoke(Slot.GREEN, NEW),)
        state, _ = advance(state, Failed(9.0, Phase.VERIFYING, "smoke-failed"))

    assert state.phase is Phase.FAILED
    assert state.cause == "smoke-failed"


def test_without_standby_the_old_slot_is_retired_after_promotion():
    """Standby 0 means that the old slot goes, but only after promotion and the check after it."""
    wanted = order(standby_seconds=0.0, monitor_seconds=10.0)
    state, actions = walk(begin_rollout(wanted), until=Phase.PROMOTED)

    assert all_of(actions, Promote) == [Promote(Slot.GREEN, NEW, 0.0)]
    assert actions[-1] == Retire(Slot.BLUE)
    assert state.cause is None


def test_an_old_slot_that_will_not_stop_does_not_undo_a_promotion():
    """Promoted is promoted; what is left over is told."""
    state = walked(Phase.TIDYING, order(standby_seconds=0.0))
    state, _ = advance(state, Failed(99.0, Phase.TIDYING, "it hangs"))

    assert state.phase is Phase.PROMOTED
    assert state.cause == "it hangs"


def test_a_first_deployment_that_fails_leaves_nothing():
    """Without a live release there is nowhere to go back to: the candidate is retired."""
    first = order(kind=Kind.INSTALL, live=None, plan=blue_green(instances=2, live_instances=0))
    state = walked(Phase.SMOKING, first)
    state, actions = advance(state, Failed(5.0, Phase.SMOKING, "smoke-failed"))

    assert actions == (Retire(Slot.BLUE),)
    state, _ = walk(state, until=Phase.FAILED)
    assert state.cause == "smoke-failed"


@pytest.mark.parametrize("phase", [each for each in Phase if each is not Phase.SMOKING])
def test_an_echo_of_another_action_changes_nothing(phase: Phase):
    """A Done or a Failed that names another phase than the pending one is ignored."""
    state = walked(Phase.SMOKING)

    assert advance(state, Done(50.0, phase))[0] == state
    assert advance(state, Failed(50.0, phase, "it broke long ago"))[0] == state


def test_what_comes_after_the_end_changes_nothing():
    """A wish that was too late is not carried out."""
    state = walked(Phase.PROMOTED)

    for event in (AbortRequested(99.0, "ann", "late"), Done(99.0, Phase.PROMOTED), healthy(99.0)):
        assert advance(state, event) == (state, ())


def test_a_look_that_nobody_waits_for_is_not_judged():
    """A reading that arrives after the traffic was moved belongs to another step."""
    state = walked(Phase.SHIFTING)
    after, _ = advance(state, failing(50.0))

    assert after == state


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


def test_a_blind_look_moves_a_rollout_nowhere():
    """Neither forward nor back: the next look that sees something decides."""
    state = walked(Phase.WATCHING)
    blind = Look(at=99.0, candidate=Counts(), live=Counts(), reachable=False)
    after, actions = advance(state, Looked(99.0, blind))

    assert after.verdict is not None
    assert (after.phase, after.step_index, after.verdict.kind) == (
        Phase.WATCHING,
        state.step_index,
        VerdictKind.BLIND,
    )
    assert actions == (TakeLook(),)


def test_a_rollout_begins_with_nothing_done():
    """At its first step, with no traffic, no try, no verdict, and no wish of anybody's."""
    state = begin_rollout(order())

    assert (state.step_index, state.weight, state.attempts, state.called) == (0, 0, 0, 0)
    assert (state.verdict, state.cause, state.calling) == (None, None, None)
    assert (state.promoted, state.gradual, state.hurried, state.paused) == (False,) * 4
    assert state.changed_at == state.order.started_at


def test_a_headline_says_where_the_rollout_is():
    """Phase, step, weight and the last verdict: what a replay is held to."""
    state = walked(Phase.WATCHING)
    looked, _ = advance(state, healthy(state.changed_at + 1.0))

    assert state.headline == "watching 2/5 10% -"
    assert looked.headline == "watching 2/5 10% more-data:holding"
    assert at_step(looked, 3).headline == "watching 4/5 50% more-data:holding"


def test_resuming_gives_the_way_back_all_its_tries_again():
    """Tries of a holder that died do not count against the next one."""
    state, _ = advance(walked(Phase.WATCHING), AbortRequested(35.0, "ann", "stop"))
    state, _ = advance(state, Failed(36.0, state.phase, "database-down"))
    assert state.attempts == 1
    state, _ = advance(state, Resumed(40.0, "host:1:1"))

    assert state.attempts == 0
