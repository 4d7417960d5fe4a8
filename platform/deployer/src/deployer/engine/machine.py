"""The engine: a pure state machine over a rollout.

`advance(state, event)` returns the next state and the actions to run; `pending(state)` returns the
actions of a state. The caller writes the event to the ledger before it runs an action, and every
action is idempotent, so a process that dies anywhere is followed by one that replays the events and
runs `pending` again. The way back asks only the old slot whether it can take the load.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from deployer.analysis import VerdictKind, begin, begin_step, judge
from deployer.engine.plan import Check
from deployer.engine.rollout import (
    WAY_BACK,
    AbortRequested,
    Action,
    Done,
    Event,
    Failed,
    Kind,
    Looked,
    Migrate,
    Order,
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
)

# How often an action of the way back is tried before a person has to look: with the driver's pause
# of a second between tries this rides out a router or database restart.
ATTEMPTS_OF_THE_WAY_BACK = 20


def begin_rollout(order: Order) -> Rollout:
    """Return the state in which an order begins."""
    compare = order.live is not None
    first = Phase.STARTING if order.kind is Kind.ROLLBACK else Phase.MIGRATING
    return Rollout(
        order=order,
        phase=first,
        analysis=begin(order.limits, order.planned_requests, compare=compare),
        changed_at=order.started_at,
    )


def advance(state: Rollout, event: Event) -> tuple[Rollout, tuple[Action, ...]]:
    """Return what the event makes of the state, and the actions to run next.

    An event that does not belong to the state (an echo of an earlier action, a request that comes
    too late) changes nothing, so replaying a ledger is always safe.
    """
    match event:
        case Done(phase=phase) if phase is state.phase:
            state = _done(state, event.at)
        case Failed(phase=phase) if phase is state.phase:
            state = _failed(state, event)
        case Looked() if state.phase is Phase.WATCHING:
            state = _looked(state, event)
        case AbortRequested() if _can_turn_back(state):
            state = _turn_back(state, event.at, f"{event.why} (asked for by {event.by})")
        case PromoteRequested() if state.phase is Phase.WATCHING:
            state = _next_step(state, event.at)
        case Resumed():
            state = replace(state, attempts=0)
        case _:
            pass
    return state, pending(state)


def replay(order: Order, events: Iterable[Event]) -> Rollout:
    """Return the state that the events of a ledger lead to."""
    state = begin_rollout(order)
    for event in events:
        state, _ = advance(state, event)
    return state


def pending(state: Rollout) -> tuple[Action, ...]:
    """Return what the state waits for: one action, or none when it is over."""
    order, step = state.order, state.step
    slot, candidate = order.candidate_slot, order.candidate
    match state.phase:
        case Phase.MIGRATING:
            return (Migrate(candidate),)
        case Phase.STARTING:
            return (Start(slot, candidate, step.candidate_instances),)
        case Phase.SMOKING:
            return (Smoke(slot, candidate),)
        case Phase.SHIFTING:
            return (Shift(slot, step.weight),)
        case Phase.WATCHING:
            return (TakeLook(),)
        case Phase.PROMOTING:
            return (Promote(slot, candidate, order.standby_seconds),)
        case Phase.TIDYING:
            return (Retire(state.live_slot),)
        case Phase.RETIRING:
            return (Retire(slot),)
        case _:
            return _pending_for_live(state)


def _pending_for_live(state: Rollout) -> tuple[Action, ...]:
    order = state.order
    if order.live is None:
        return ()
    match state.phase:
        case Phase.GUARDING:
            return (Start(state.live_slot, order.live, order.live_instances),)
        case Phase.RETURNING:
            return (Shift(order.candidate_slot, 0),)
        case Phase.CONFIRMING:
            return (Smoke(state.live_slot, order.live),)
        case _:
            return ()


def _done(state: Rollout, at: float) -> Rollout:
    match state.phase:
        case Phase.MIGRATING:
            return _enter(state, Phase.STARTING, at)
        case Phase.STARTING if state.step.check is Check.SMOKE:
            return _enter(state, Phase.SMOKING, at)
        case Phase.STARTING | Phase.SMOKING if state.step.weight != state.weight:
            return _shift(state, at)
        case Phase.STARTING | Phase.SMOKING | Phase.SHIFTING:
            return _watch(state, at)
        case Phase.PROMOTING:
            return _enter(state, _after_promotion(state.order), at)
        case Phase.TIDYING:
            return _enter(state, Phase.PROMOTED, at)
        case _:
            return _done_on_the_way_back(state, at)


def _done_on_the_way_back(state: Rollout, at: float) -> Rollout:
    match state.phase:
        case Phase.GUARDING:
            return replace(_enter(state, Phase.RETURNING, at), weight=0)
        case Phase.RETURNING:
            return _enter(state, Phase.RETIRING, at)
        case Phase.RETIRING if state.order.live is None:
            return _enter(state, Phase.FAILED, at)
        case Phase.RETIRING:
            return _enter(state, Phase.CONFIRMING, at)
        case Phase.CONFIRMING:
            return _enter(state, Phase.ROLLED_BACK, at)
        case _:
            return state


def _failed(state: Rollout, event: Failed) -> Rollout:
    if state.phase in WAY_BACK:
        if state.attempts + 1 < ATTEMPTS_OF_THE_WAY_BACK:
            return replace(state, attempts=state.attempts + 1)
        return replace(_enter(state, Phase.FAILED, event.at), cause=event.cause)
    if (
        state.phase is Phase.TIDYING
    ):  # promoted already: an old slot that won't stop changes nothing
        return replace(_enter(state, Phase.PROMOTED, event.at), cause=event.cause)
    return _turn_back(state, event.at, event.cause)


def _looked(state: Rollout, event: Looked) -> Rollout:
    analysis, verdict = judge(state.analysis, event.look)
    state = replace(state, analysis=analysis, verdict=verdict)
    if verdict.kind is VerdictKind.FAIL:
        return _turn_back(state, event.at, verdict.reason)
    if verdict.kind is VerdictKind.PASS:
        return _next_step(state, event.at)
    return state


def _next_step(state: Rollout, at: float) -> Rollout:
    if state.step_index + 1 == len(state.order.plan):
        return _enter(state, Phase.PROMOTING, at)
    state = replace(state, step_index=state.step_index + 1)
    return _enter(state, Phase.STARTING, at)


def _shift(state: Rollout, at: float) -> Rollout:
    return replace(_enter(state, Phase.SHIFTING, at), weight=state.step.weight)


def _watch(state: Rollout, at: float) -> Rollout:
    if state.step.check is not Check.ANALYSIS:
        return _next_step(state, at)
    analysis = begin_step(
        state.analysis,
        at=at,
        hold_seconds=state.step.hold_seconds,
        patience_seconds=state.order.patience_seconds,
    )
    return replace(_enter(state, Phase.WATCHING, at), analysis=analysis)


def _can_turn_back(state: Rollout) -> bool:
    promoted = state.phase in {Phase.PROMOTING, Phase.TIDYING}
    return not (state.over or promoted or state.phase in WAY_BACK)


def _turn_back(state: Rollout, at: float, cause: str) -> Rollout:
    first = Phase.RETIRING if state.order.live is None else Phase.GUARDING
    return replace(_enter(state, first, at), cause=cause)


def _after_promotion(order: Order) -> Phase:
    keeps_old = order.kind is Kind.ROLLOUT and order.standby_seconds > 0
    return Phase.PROMOTED if keeps_old or order.live is None else Phase.TIDYING


def _enter(state: Rollout, phase: Phase, at: float) -> Rollout:
    return replace(state, phase=phase, changed_at=at, attempts=0)
