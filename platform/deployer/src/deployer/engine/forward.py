"""The way forward: what follows when an action of a rollout succeeds, or a look passes."""

from __future__ import annotations

from dataclasses import replace

from deployer.analysis import begin_step
from deployer.engine.back import enter
from deployer.engine.plan import Check
from deployer.engine.rollout import Kind, Phase, Point, Rollout


def set_out(state: Rollout, at: float) -> Rollout:
    """Return the first phase: a way back after promotion needs no migration and no asking, a flag no start."""
    if state.order.kind is Kind.ROLLBACK:
        return enter(state, Phase.STARTING, at)
    if state.order.kind is Kind.FLAG:
        return replace(enter(state, Phase.SHIFTING, at), weight=state.step.weight)
    return _call(state, Point.BEFORE_ROLLOUT, at)


def done(state: Rollout, at: float) -> Rollout:
    """Return what follows an action of the way forward that succeeded."""
    match state.phase:
        case Phase.MIGRATING:
            return enter(state, Phase.STARTING, at)
        case Phase.STARTING if _grows(state):
            return enter(state, Phase.SMOKING, at)
        case Phase.SMOKING if state.step_index == 0:
            return _call(state, Point.BEFORE_TRAFFIC, at)
        case Phase.STARTING | Phase.SMOKING:
            return _weigh(state, at)
        case Phase.CALLING:
            return _called(state, at)
        case Phase.SHIFTING if _shrinks(state):
            return enter(state, Phase.SHRINKING, at)
        case Phase.SHIFTING | Phase.SHRINKING:
            return _settle(state, at)
        case Phase.HOLDING:
            return next_step(state, at)
        case _:
            return _done_after_promotion(state, at)


def pass_step(state: Rollout, at: float) -> Rollout:
    """Return what follows when the step under way is good enough, by a verdict or a person."""
    state = replace(state, paused=False)
    if state.phase is Phase.MONITORING:
        return _call(state, Point.AFTER_PROMOTION, at)
    return _call(state, Point.AFTER_STEP, at)


def next_step(state: Rollout, at: float) -> Rollout:
    """Return the beginning of the next step, or of the promotion after the last."""
    if state.step_index + 1 == len(state.order.plan):
        return replace(enter(state, Phase.PROMOTING, at), promoted=True)
    return enter(replace(state, step_index=state.step_index + 1), Phase.STARTING, at)


def skip_hook(state: Rollout, at: float) -> Rollout:
    """Return what follows a hook whose failure changes nothing."""
    return _called(state, at)


def _done_after_promotion(state: Rollout, at: float) -> Rollout:
    match state.phase:
        case Phase.PROMOTING if state.order.kind is Kind.ROLLBACK:
            return enter(state, Phase.VERIFYING, at)
        case Phase.PROMOTING if state.order.monitor_seconds > 0:
            return _look(state, Phase.MONITORING, at, hold_seconds=state.order.monitor_seconds)
        case Phase.PROMOTING:
            return _call(state, Point.AFTER_PROMOTION, at)
        case Phase.VERIFYING:
            return _call(state, Point.AFTER_ROLLBACK, at)
        case Phase.TIDYING:
            return enter(state, Phase.PROMOTED, at)
        case _:
            return state


def _call(state: Rollout, point: Point, at: float) -> Rollout:
    if not state.order.hooks_at(point):
        return _past(state, point, at)
    return replace(enter(state, Phase.CALLING, at), calling=point, called=0)


def _called(state: Rollout, at: float) -> Rollout:
    point, called = state.calling, state.called + 1
    if point is None:
        return state
    if called < len(state.order.hooks_at(point)):
        return replace(enter(state, Phase.CALLING, at), called=called)
    return _past(replace(state, calling=None, called=0), point, at)


def _past(state: Rollout, point: Point, at: float) -> Rollout:
    match point:
        case Point.BEFORE_ROLLOUT:
            return enter(state, Phase.MIGRATING, at)
        case Point.BEFORE_TRAFFIC:
            return _weigh(state, at)
        case Point.AFTER_STEP:
            return next_step(state, at)
        case _:
            return enter(state, _last_phase(state), at)


def _last_phase(state: Rollout) -> Phase:
    order = state.order
    keeps_old = order.kind is Kind.ROLLOUT and order.standby_seconds > 0
    nothing_old = order.live is None or order.kind is Kind.FLAG
    return Phase.PROMOTED if keeps_old or nothing_old else Phase.TIDYING


def _weigh(state: Rollout, at: float) -> Rollout:
    if state.step.weight == state.weight:
        return _settle(state, at)
    return replace(enter(state, Phase.SHIFTING, at), weight=state.step.weight)


def _settle(state: Rollout, at: float) -> Rollout:
    step = state.step
    if step.check is Check.ANALYSIS:
        return _look(state, Phase.WATCHING, at, hold_seconds=step.hold_seconds)
    if step.hold_seconds > 0 and not state.hurried:
        return enter(state, Phase.HOLDING, at)
    return next_step(state, at)


def _look(state: Rollout, phase: Phase, at: float, *, hold_seconds: float) -> Rollout:
    analysis = begin_step(
        state.analysis,
        at=at,
        hold_seconds=hold_seconds,
        patience_seconds=state.order.patience_seconds,
        beside_live=state.weight < 100,
    )
    return replace(enter(state, phase, at), analysis=analysis)


def _grows(state: Rollout) -> bool:
    """Whether the step has instances of the candidate's that the one before had not."""
    before = state.order.plan[state.step_index - 1].candidate_instances if state.step_index else 0
    return state.step.candidate_instances > before


def _shrinks(state: Rollout) -> bool:
    """Whether the step leaves live fewer instances than the one before."""
    order, index = state.order, state.step_index
    before = order.plan[index - 1].live_instances if index else order.live_instances
    return order.live is not None and state.step.live_instances < before
