"""The engine: a pure state machine over a rollout.

`advance(state, event)` returns the next state and the actions to run; `pending(state)` returns the
actions of a state. The caller writes the event to the ledger before it runs an action, and every
action is idempotent, so a process that dies anywhere is followed by one that replays the events and
runs `pending` again. What follows what is in `forward` and `back`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from deployer.analysis import Rule, Verdict, VerdictKind, begin, judge
from deployer.engine import forward
from deployer.engine.actions import (
    Action,
    Call,
    Migrate,
    Promote,
    Retire,
    Scale,
    Shift,
    Smoke,
    TakeLook,
    Wait,
)
from deployer.engine.back import (
    ATTEMPTS,
    done_on_the_way_back,
    enter,
    failed_on_the_way_back,
    hurry,
    turn_back,
)
from deployer.engine.events import (
    AbortRequested,
    ContinueRequested,
    Done,
    Event,
    Failed,
    HurryRequested,
    Looked,
    PauseRequested,
    PromoteRequested,
    Resumed,
)
from deployer.engine.rollout import LOOKING, WATCHED, WAY_BACK, Kind, Order, Phase, Point, Rollout
from deployer.model import Release

_LOOK = (TakeLook(),)


def begin_rollout(order: Order) -> Rollout:
    """Return the state in which an order begins."""
    analysis = begin(
        order.limits,
        order.planned_requests,
        compare=order.live is not None,
        business=order.business,
    )
    state = Rollout(order=order, phase=Phase.MIGRATING, analysis=analysis)
    return forward.set_out(state, order.started_at)


def advance(state: Rollout, event: Event) -> tuple[Rollout, tuple[Action, ...]]:
    """Return what the event makes of the state, and the actions to run next.

    An event that does not belong to the state (an echo of an earlier action, a request that comes
    too late) changes nothing, so replaying a ledger is always safe.
    """
    match event:
        case Looked() if state.phase in LOOKING:
            state = _looked(state, event)
        case Done(phase=phase) if phase is state.phase:
            back = phase in WAY_BACK
            state = done_on_the_way_back(state, event.at) if back else forward.done(state, event.at)
        case Failed(phase=phase) if phase is state.phase:
            state = _failed(state, event)
        case Resumed():
            state = replace(state, attempts=0)
        case _:
            state = _asked(state, event)
    return state, pending(state)


def replay(order: Order, events: Iterable[Event]) -> Rollout:
    """Return the state that the events of a ledger lead to."""
    state = begin_rollout(order)
    for event in events:
        state, _ = advance(state, event)
    return state


def pending(state: Rollout) -> tuple[Action, ...]:
    """Return what the state waits for: one action, or none when it is over."""
    if state.phase in LOOKING:  # most of the time
        return _LOOK
    if state.over:
        return ()
    action = _pending_back(state) if state.phase in WAY_BACK else _pending_forward(state)
    return (action,)


def _pending_forward(state: Rollout) -> Action:  # a table: a phase a line
    order, step = state.order, state.step
    slot, candidate = order.candidate_slot, order.candidate
    match state.phase:
        case Phase.MIGRATING:
            return Migrate(candidate)
        case Phase.STARTING:
            return Scale(slot, candidate, step.candidate_instances)
        case Phase.SMOKING | Phase.VERIFYING:
            return Smoke(slot, candidate)
        case Phase.CALLING:
            return _pending_call(state)
        case Phase.SHIFTING:
            return Shift(slot, step.weight)
        case Phase.SHRINKING:
            return Scale(state.live_slot, _live(order), step.live_instances)
        case Phase.HOLDING:
            return Wait(state.changed_at + step.hold_seconds)
        case Phase.PROMOTING:
            return Promote(slot, candidate, _warm_seconds(order))
        case Phase.TIDYING:
            return Retire(state.live_slot)
        case _:
            raise AssertionError(f"nothing is done in {state.phase}")


def _pending_back(state: Rollout) -> Action:
    order, slot = state.order, state.order.candidate_slot
    match state.phase:
        case Phase.GUARDING:
            return Scale(state.live_slot, _live(order), order.live_instances)
        case Phase.RETURNING:
            return Shift(slot, state.weight)
        case Phase.EASING:
            return Wait(state.changed_at + order.ease_seconds)
        case Phase.RESTORING:
            return Promote(state.live_slot, _live(order), 0.0)
        case Phase.RETIRING:
            return Retire(slot)
        case Phase.CONFIRMING:
            return Smoke(state.live_slot, _live(order))
        case _:
            return _pending_call(state)


def _pending_call(state: Rollout) -> Call:
    if state.calling is None:
        raise AssertionError("hooks are called at a point")
    return Call(state.order.hooks_at(state.calling)[state.called])


def _live(order: Order) -> Release:
    if order.live is None:
        raise AssertionError("a first deployment has no live release to speak of")
    return order.live


def _asked(state: Rollout, event: Event) -> Rollout:
    """Return what a person's wish makes of the state."""
    match event:
        case AbortRequested() if _can_turn_back(state):
            cause = f"{event.why} (asked for by {event.by})"
            return turn_back(state, event.at, cause, gradual=event.gradual)
        case AbortRequested(gradual=False) | HurryRequested() if state.phase in WAY_BACK:
            return hurry(state, event.at)
        case HurryRequested() if state.order.kind is Kind.ROLLBACK:
            state = replace(state, hurried=True)
            return forward.next_step(state, event.at) if state.phase is Phase.HOLDING else state
        case PromoteRequested() if state.phase in LOOKING:
            return forward.pass_step(state, event.at)
        case PauseRequested() if state.order.kind in WATCHED:
            return replace(state, paused=True)
        case ContinueRequested():
            return replace(state, paused=False)
        case _:
            return state


def _failed(state: Rollout, event: Failed) -> Rollout:
    if state.phase in WAY_BACK:
        return failed_on_the_way_back(state, event)
    if state.phase is Phase.TIDYING:  # an old slot that won't stop does not undo a promotion
        return replace(enter(state, Phase.PROMOTED, event.at), cause=event.cause)
    if state.phase is Phase.CALLING and state.calling is Point.AFTER_ROLLBACK:
        return forward.skip_hook(state, event.at)
    if state.phase is Phase.VERIFYING:
        if state.attempts + 1 < ATTEMPTS:
            return replace(state, attempts=state.attempts + 1)
        return replace(enter(state, Phase.FAILED, event.at), cause=event.cause)
    return turn_back(state, event.at, event.cause)


def _looked(state: Rollout, event: Looked) -> Rollout:
    analysis, verdict = judge(state.analysis, event.look)
    if verdict.kind is VerdictKind.PASS:
        verdict = _held_by_a_person(state, verdict) or verdict
    state = replace(state, analysis=analysis, verdict=verdict)
    if verdict.kind is VerdictKind.FAIL:
        return turn_back(state, event.at, verdict.reason)
    if verdict.kind is VerdictKind.PASS:
        return forward.pass_step(state, event.at)
    return state


def _held_by_a_person(state: Rollout, verdict: Verdict) -> Verdict | None:
    """Return the hold that takes the place of a pass, if somebody wants to decide."""
    if state.paused:
        rule, who = Rule.PAUSED, "it is paused"
    elif state.step.gate and state.phase is Phase.WATCHING:
        rule, who = Rule.GATE, "a gate stands here"
    else:
        return None
    reason = f"{verdict.reason}; {who}: a person lets it go on"
    return Verdict(VerdictKind.HOLD, rule, reason, verdict.numbers)


def _can_turn_back(state: Rollout) -> bool:
    """Whether there is something to turn: not at the end, not twice, and not an old slot that goes."""
    if state.over or state.phase in WAY_BACK or state.phase is Phase.TIDYING:
        return False
    return not (state.promoted and (state.order.live is None or state.order.kind is Kind.ROLLBACK))


def _warm_seconds(order: Order) -> float:
    """Return how long the old slot stays warm from the promotion on: standby begins after the check."""
    return order.monitor_seconds + order.standby_seconds if order.standby_seconds else 0.0
